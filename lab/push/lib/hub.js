'use strict';

const crypto = require('crypto');
const { Redis } = require('./redis');

const TOPIC = 'pushserver:messages';
const KEPT = 100;

/** Messages between the processes: kept in Redis per channel, announced to all instances. */
class Hub {
  constructor(configuration) {
    this.configuration = configuration;
    this.listeners = [];
  }

  async open() {
    const { storage } = this.configuration;
    if (storage.type !== 'redis') {
      throw new Error('storage.type must be redis');
    }
    this.commands = new Redis(storage, () => {});
    await this.commands.open();
    this.events = new Redis(storage, (topic, text) => this.announce(topic, text));
    await this.events.open();
    await this.events.subscribe();
  }

  onMessage(listener) {
    this.listeners.push(listener);
  }

  announce(topic, text) {
    if (topic === TOPIC) {
      const message = JSON.parse(text);
      this.listeners.forEach((listener) => listener(message));
    }
  }

  /** @param {number} expiry seconds that the message waits for a subscriber */
  async publish(channel, text, expiry) {
    const key = `channel:messages:${channel}`;
    const id = await this.commands.command('INCR', `channel:counter:${channel}`);
    await this.commands.command('EXPIRE', `channel:counter:${channel}`, this.configuration.storage.messageTTL);
    const message = {
      id,
      mid: crypto.randomBytes(12).toString('hex'),
      channel,
      time: new Date().toUTCString(),
      text,
      until: Math.floor(Date.now() / 1000) + expiry,
    };
    await this.commands.command('RPUSH', key, JSON.stringify(message));
    await this.commands.command('LTRIM', key, -KEPT, -1);
    await this.commands.command('EXPIRE', key, this.configuration.storage.messageTTL);
    await this.commands.command('PUBLISH', TOPIC, JSON.stringify(message));
    return message;
  }

  /** Messages of a channel after the one with this mid, none where the mid is not known. */
  async after(channel, mid) {
    const texts = await this.commands.command('LRANGE', `channel:messages:${channel}`, 0, -1);
    const now = Math.floor(Date.now() / 1000);
    const messages = texts.map((text) => JSON.parse(text)).filter((message) => message.until >= now);
    const place = messages.findIndex((message) => message.mid === mid);
    return place < 0 ? [] : messages.slice(place + 1);
  }

  close() {
    this.commands.close();
    this.events.close();
  }
}

module.exports = { Hub };
