'use strict';

const net = require('net');

const RETRY_MILLISECONDS = 500;

/** One Redis connection: commands in order, answers as promises, published messages to a listener. */
class Redis {
  constructor(storage, onMessage) {
    this.storage = storage;
    this.onMessage = onMessage;
    this.waiting = [];
    this.buffer = Buffer.alloc(0);
    this.subscribed = false;
    this.closed = false;
  }

  open() {
    return new Promise((resolve, reject) => {
      const place = this.storage.socket
        ? { path: this.storage.socket }
        : { host: this.storage.host || '127.0.0.1', port: this.storage.port || 6379 };
      this.socket = net.createConnection(place);
      this.socket.on('data', (data) => this.read(data));
      this.socket.on('error', (error) => {
        this.failure = error;
      });
      this.socket.once('connect', async () => {
        try {
          if (this.storage.password) {
            await this.command('AUTH', this.storage.password);
          }
          if (this.subscribed) {
            await this.command('PSUBSCRIBE', 'pushserver:*');
          }
          this.ready = true;
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      this.socket.once('close', () => {
        const error = this.failure || new Error('the connection to Redis was closed');
        this.waiting.splice(0).forEach((one) => one.reject(error));
        this.buffer = Buffer.alloc(0);
        if (!this.ready) {
          reject(error);
        } else if (!this.closed) {
          setTimeout(() => this.open().catch(() => this.socket.emit('close')), RETRY_MILLISECONDS);
        }
      });
    });
  }

  subscribe() {
    this.subscribed = true;
    return this.command('PSUBSCRIBE', 'pushserver:*');
  }

  command(...parts) {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(this.failure || new Error('no connection to Redis'));
        return;
      }
      const text = parts.map((part) => `$${Buffer.byteLength(String(part))}\r\n${part}\r\n`).join('');
      this.waiting.push({ resolve, reject });
      this.socket.write(`*${parts.length}\r\n${text}`);
    });
  }

  close() {
    this.closed = true;
    this.socket.destroy();
  }

  read(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const parsed = parse(this.buffer, 0);
      if (parsed === null) {
        return;
      }
      this.buffer = this.buffer.subarray(parsed.end);
      this.take(parsed.value);
    }
  }

  take(value) {
    if (Array.isArray(value) && value[0] === 'pmessage') {
      this.onMessage(value[2], value[3]);
      return;
    }
    const one = this.waiting.shift();
    if (one) {
      value instanceof Error ? one.reject(value) : one.resolve(value);
    }
  }
}

/** The first complete answer in a buffer, or null. */
function parse(buffer, start) {
  const end = buffer.indexOf('\r\n', start);
  if (end < 0) {
    return null;
  }
  const line = buffer.toString('utf8', start + 1, end);
  const next = end + 2;
  switch (String.fromCharCode(buffer[start])) {
    case '+':
      return { value: line, end: next };
    case '-':
      return { value: new Error(line), end: next };
    case ':':
      return { value: Number(line), end: next };
    case '$': {
      const size = Number(line);
      if (size < 0) {
        return { value: null, end: next };
      }
      return buffer.length < next + size + 2
        ? null
        : { value: buffer.toString('utf8', next, next + size), end: next + size + 2 };
    }
    case '*': {
      const values = [];
      let place = next;
      for (let number = 0; number < Number(line); number += 1) {
        const one = parse(buffer, place);
        if (one === null) {
          return null;
        }
        values.push(one.value);
        place = one.end;
      }
      return { value: values, end: place };
    }
    default:
      throw new Error('Redis speaks another protocol');
  }
}

module.exports = { Redis };
