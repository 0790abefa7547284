'use strict';

const crypto = require('crypto');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const CLOSE_MILLISECONDS = 2000;

/** Server side of one websocket (RFC 6455): text out, pings answered, what clients say is dropped. */
class WebSocket {
  static accept(request, socket, maxPayload) {
    const key = request.headers['sec-websocket-key'];
    if (!key || request.headers['sec-websocket-version'] !== '13') {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      return null;
    }
    const accept = crypto.createHash('sha1').update(key + GUID).digest('base64');
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    return new WebSocket(socket, maxPayload);
  }

  constructor(socket, maxPayload) {
    this.socket = socket;
    this.maxPayload = maxPayload;
    this.buffer = Buffer.alloc(0);
    this.onClose = () => {};
    socket.on('data', (data) => this.read(data));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(this.timer);
      this.onClose();
    });
  }

  send(text) {
    this.frame(TEXT, Buffer.from(text));
  }

  close(code, reason) {
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code, 0);
    body.write(reason, 2);
    this.frame(CLOSE, body);
    this.closing = true;
    // The peer answers with its own close frame; ending before that resets its connection.
    this.timer = setTimeout(() => this.socket.destroy(), CLOSE_MILLISECONDS);
  }

  frame(kind, body) {
    let head;
    if (body.length < 126) {
      head = Buffer.from([0x80 | kind, body.length]);
    } else if (body.length < 65536) {
      head = Buffer.from([0x80 | kind, 126, 0, 0]);
      head.writeUInt16BE(body.length, 2);
    } else {
      head = Buffer.alloc(10);
      head[0] = 0x80 | kind;
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(body.length), 2);
    }
    if (this.socket.writable) {
      this.socket.write(Buffer.concat([head, body]));
    }
  }

  read(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      if (this.buffer.length < 6) {
        return;
      }
      const kind = this.buffer[0] & 0x0f;
      let size = this.buffer[1] & 0x7f;
      let place = 2;
      if (size === 126) {
        if (this.buffer.length < 8) {
          return;
        }
        size = this.buffer.readUInt16BE(2);
        place = 4;
      } else if (size === 127) {
        if (this.buffer.length < 14) {
          return;
        }
        size = Number(this.buffer.readBigUInt64BE(2));
        place = 10;
      }
      if (size > this.maxPayload || (this.buffer[1] & 0x80) === 0) {
        this.close(1009, '');
        return;
      }
      const end = place + 4 + size;
      if (this.buffer.length < end) {
        return;
      }
      const mask = this.buffer.subarray(place, place + 4);
      const body = Buffer.from(this.buffer.subarray(place + 4, end));
      for (let index = 0; index < body.length; index += 1) {
        body[index] ^= mask[index % 4];
      }
      this.buffer = this.buffer.subarray(end);
      if (kind === PING) {
        this.frame(PONG, body);
      } else if (kind === CLOSE) {
        if (!this.closing) {
          this.frame(CLOSE, body.subarray(0, 2));
        }
        this.socket.end();
        return;
      }
    }
  }
}

module.exports = { WebSocket };
