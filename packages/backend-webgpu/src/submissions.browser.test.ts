import './submissions.test.ts';
