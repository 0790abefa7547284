'use strict';

const { openChannel, openPublicChannel } = require('./signature');
const { WebSocket } = require('./websocket');

const WRONG_SIGNATURE = 4010;
const TOO_MANY = 4014;
const DEFAULT_EXPIRY = 3600;
// Both addresses reach subscribers: one is rewritten to the other by web servers (portal_runtime E2, E6).
const SUBSCRIBE = ['/bitrix/sub/', '/bitrix/subws/'];

/** What one instance answers: subscriptions, or publications and statistics when publishMode is set. */
class Application {
  constructor(configuration, hub) {
    this.configuration = configuration;
    this.hub = hub;
    this.channels = new Map();
    this.started = Date.now();
    this.published = 0;
    hub.onMessage((message) => this.deliver(message));
  }

  upgrade(settings, request, socket) {
    const { path, query } = split(request.url);
    if (this.configuration.publishMode || ![...SUBSCRIBE, settings.routes.sub].includes(path)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    const peer = WebSocket.accept(request, socket, this.configuration.limits.maxPayload);
    if (peer === null) {
      return;
    }
    const signed = (query.get('CHANNEL_ID') || '').split('/').filter(Boolean);
    const ids = signed.map((one) => openChannel(one, this.configuration.security));
    if (ids.length === 0 || ids.includes(null)) {
      peer.close(WRONG_SIGNATURE, 'Wrong Channel Id');
      return;
    }
    if (ids.length > this.configuration.limits.maxChannelsPerRequest) {
      peer.close(TOO_MANY, 'Too Many Channels');
      return;
    }
    this.subscribe(peer, ids, query.get('mid'));
  }

  subscribe(peer, ids, mid) {
    ids.forEach((id) => {
      const peers = this.channels.get(id) || new Set();
      peers.add(peer);
      this.channels.set(id, peers);
      while (peers.size > this.configuration.limits.maxConnPerChannel) {
        const oldest = peers.values().next().value;
        peers.delete(oldest);
        oldest.close(TOO_MANY, 'Too Many Connections');
      }
    });
    peer.onClose = () =>
      ids.forEach((id) => {
        const peers = this.channels.get(id);
        if (peers && peers.delete(peer) && peers.size === 0) {
          this.channels.delete(id);
        }
      });
    if (mid) {
      ids.forEach((id) =>
        this.hub
          .after(id, mid)
          .then((messages) => messages.forEach((message) => peer.send(framed(message))))
          .catch((error) => process.stderr.write(`${error.message}\n`)),
      );
    }
  }

  deliver(message) {
    const peers = this.channels.get(message.channel);
    if (peers) {
      const text = framed(message);
      peers.forEach((peer) => peer.send(text));
    }
  }

  async handle(settings, request, response) {
    const { path, query } = split(request.url);
    const { routes } = settings;
    try {
      if (path === routes.stat || `${path}/` === routes.stat) {
        answer(response, 200, [this.statistics()]);
      } else if (this.configuration.publishMode && path === routes.pub && request.method === 'POST') {
        await this.publish(request, response, query, (id) => (/^[0-9a-f]{32}$/.test(id) ? id : null));
      } else if (this.configuration.publishMode && path === routes.rest && request.method === 'POST') {
        await this.publish(request, response, query, (id) => openPublicChannel(id, this.configuration.security));
      } else {
        answer(response, 404, { error: 'not found' });
      }
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
      answer(response, error.status || 500, { error: error.status ? error.message : 'failed' });
    }
  }

  async publish(request, response, query, open) {
    const ids = (query.get('CHANNEL_ID') || '').split('/').filter(Boolean).map(open);
    if (ids.length === 0 || ids.includes(null) || ids.length > this.configuration.limits.maxChannelsPerRequest) {
      answer(response, 400, { error: 'wrong channel' });
      return;
    }
    const text = await body(request, this.configuration.limits.maxPayload);
    const expiry = Number(request.headers['message-expiry']) || DEFAULT_EXPIRY;
    const messages = await Promise.all(ids.map((id) => this.hub.publish(id, text, expiry)));
    this.published += messages.length;
    answer(response, 200, { infos: messages.map(({ channel, mid }) => ({ channel, mid })) });
  }

  statistics() {
    let websockets = 0;
    this.channels.forEach((peers) => {
      websockets += peers.size;
    });
    return {
      pid: process.pid,
      processUniqueId: this.configuration.processUniqueId,
      uptime: Math.round((Date.now() - this.started) / 1000),
      channels: this.channels.size,
      websockets,
      limits: this.configuration.limits,
      daily: { published: this.published },
    };
  }

  close() {
    this.channels.forEach((peers) => peers.forEach((peer) => peer.close(1001, 'Going Away')));
  }
}

/** Markers around one JSON object whose `text` is the body as it was sent (portal_runtime E6). */
function framed({ id, mid, time, text }) {
  const head = JSON.stringify({ id, mid, channel: '-', tag: '400', time }).slice(0, -1);
  return `#!NGINXNMS!#${head},"text":${isJson(text) ? text : JSON.stringify(text)}}#!NGINXNME!#`;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function split(url) {
  const { pathname, searchParams } = new URL(url, 'http://push');
  return { path: pathname, query: searchParams };
}

function body(request, limit) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let size = 0;
    request.on('data', (part) => {
      size += part.length;
      if (size > limit) {
        reject(Object.assign(new Error('the message is too large'), { status: 413 }));
        request.destroy();
        return;
      }
      parts.push(part);
    });
    request.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    request.on('error', reject);
  });
}

function answer(response, status, facts) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(facts));
}

module.exports = { Application };
