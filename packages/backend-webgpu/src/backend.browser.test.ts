import './backend.test.ts';
