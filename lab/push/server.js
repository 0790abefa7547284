'use strict';
// Stand-in for the vendor's push server: same settings file, addresses, signature and framing, no third-party code.

const fs = require('fs');
const http = require('http');
const { readConfiguration } = require('./lib/configuration');
const { Hub } = require('./lib/hub');
const { Application } = require('./lib/application');

async function main() {
  const place = process.argv.indexOf('--config');
  const file = place > 0 ? process.argv[place + 1] : './config/config.json';
  const configuration = readConfiguration(fs.readFileSync(file, 'utf8'), file);
  const hub = new Hub(configuration);
  await hub.open();
  const application = new Application(configuration, hub);
  const servers = configuration.servers.map((settings) => {
    const server = http.createServer((request, response) => application.handle(settings, request, response));
    server.on('upgrade', (request, socket) => application.upgrade(settings, request, socket));
    // Like the vendor's server it listens on all interfaces, whatever `hostname` says (portal_runtime E6).
    server.listen({ port: settings.port, backlog: settings.backlog });
    return server;
  });
  const stop = () => {
    servers.forEach((server) => server.close());
    application.close();
    hub.close();
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
