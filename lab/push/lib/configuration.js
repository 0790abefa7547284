'use strict';

const DEFAULT_ROUTES = { sub: '/bitrix/subws/', pub: '/bitrix/pub/', rest: '/bitrix/rest/', stat: '/server-stat/' };

/** Settings of one instance (portal_runtime E2); unknown keys, messageTLL among them, are ignored. */
function readConfiguration(text, file) {
  if (!file.endsWith('.json')) {
    throw new Error(`${file}: the name of the settings file must end in .json`);
  }
  const given = JSON.parse(text);
  if (!Array.isArray(given.servers) || given.servers.length === 0) {
    throw new Error(`${file}: servers is empty`);
  }
  const security = { key: '', algo: 'sha1', ...given.security };
  if (security.key === '') {
    throw new Error(`${file}: security.key is empty`);
  }
  return {
    publishMode: given.publishMode === true,
    clusterMode: given.clusterMode === true,
    processUniqueId: String(given.processUniqueId || process.pid),
    servers: given.servers.map((server) => ({
      name: server.name || '',
      port: server.port,
      backlog: server.backlog || 511,
      routes: { ...DEFAULT_ROUTES, ...server.routes },
    })),
    storage: { type: 'memory', messageTTL: 86400, onlineTTL: 120, ...given.storage },
    security,
    limits: {
      maxPayload: 1048576,
      maxConnPerChannel: 100,
      maxMessagesPerRequest: 100,
      maxChannelsPerRequest: 100,
      ...given.limits,
    },
  };
}

module.exports = { readConfiguration };
