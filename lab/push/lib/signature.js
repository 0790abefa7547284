'use strict';

const crypto = require('crypto');

const CHANNEL = /^([0-9a-f]{32}(?::[0-9a-f]{32})?)\.([0-9a-f]{40,128})$/;

/** The private channel of `priv[:pub].signature`, or null where the signature is wrong (portal_runtime E3). */
function openChannel(signed, security) {
  const found = CHANNEL.exec(signed);
  if (found === null) {
    return null;
  }
  const expected = Buffer.from(crypto.createHmac(security.algo, security.key).update(found[1]).digest('hex'));
  const given = Buffer.from(found[2]);
  const same = expected.length === given.length && crypto.timingSafeEqual(expected, given);
  return same ? found[1].split(':')[0] : null;
}

/** `id.signature` over `public:id`, as clients present it to publish over the web. */
function openPublicChannel(signed, security) {
  const [id, signature] = signed.split('.');
  if (!/^[0-9a-f]{32}$/.test(id || '') || !signature) {
    return null;
  }
  const expected = Buffer.from(crypto.createHmac(security.algo, security.key).update(`public:${id}`).digest('hex'));
  const given = Buffer.from(signature);
  return expected.length === given.length && crypto.timingSafeEqual(expected, given) ? id : null;
}

module.exports = { openChannel, openPublicChannel };
