// Encryption in the page: RSA-OAEP with the processor's public key, each field by itself.
async function seal(text) {
  const key = await crypto.subtle.importKey("jwk", JSON.parse('@jwk@'), {name: "RSA-OAEP", hash: "SHA-256"}, false, ["encrypt"]);
  const data = await crypto.subtle.encrypt({name: "RSA-OAEP"}, key, new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(data)));
}
