// Echoes through TLS by Node.js: node node_tls.js tls://127.0.0.1:PORT CERTIFICATE KEY, where PORT may be 0.
'use strict';
const fs = require('fs');
const tls = require('tls');

const [endpoint, certificate, key] = process.argv.slice(2);
const options = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key), noDelay: true };
const server = tls.createServer(options, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(Number(endpoint.split(':')[2]), '127.0.0.1', 1024, () => {
  console.log(`listening on tls://127.0.0.1:${server.address().port}`);
});
