#!/usr/bin/env node
// Exists before the build does, so that `npm install` can link the command in a fresh clone.
import '../dist/cli.js';
