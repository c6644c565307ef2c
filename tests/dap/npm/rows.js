// What Visual Studio Code's own test client sees of the adapter: a function for each row of the table in docs/editors.md.
//
//     node rows.js NAME '{"port": 4711, "letters": "/tmp/letters.py", …}'        runs one
//     node rows.js --list                                                         names them
//
// Over a port the client waits forever, and Node ends with 0 when nothing is left to wait for. So a row has a time limit
// here, and the last thing that is printed is that it has finished.
'use strict';

const { DebugClient } = require('@vscode/debugadapter-testsupport');

const SECONDS = 40;
const rows = { ...require('./moving'), ...require('./looking') };

async function main(name, given) {
  const late = setTimeout(() => {
    console.error(`${name} took more than ${SECONDS} s`);
    process.exit(2);
  }, SECONDS * 1000);
  const dc = new DebugClient(given.python, given.adapter, 'foretrace', undefined, true);
  dc.defaultTimeout = SECONDS * 1000;
  await dc.start(name === 'stdio' ? undefined : given.port);
  await rows[name](dc, given);
  await dc.stop(); // it disconnects by itself
  clearTimeout(late);
  console.log(`finished ${name}`);
}

if (process.argv[2] === '--list') {
  console.log(Object.keys(rows).join('\n'));
} else {
  main(process.argv[2], JSON.parse(process.argv[3])).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
