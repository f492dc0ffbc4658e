// A message with secret text in it, built and sent from secret memory.
//
// Plain parts and secret parts are appended in order; secret text is escaped as inside a JSON string (RFC 8259
// section 7). seal() makes it a WebSocket frame, masked in place; seal_with_zero() a message of the browser's pipe. The
// bytes are wiped when the object ends. No other buffer ever holds them.
#pragma once

#include <string_view>

#include "secret/secret_bytes.hpp"

namespace popvault::injector {

class SecretFrame {
 public:
  // `capacity` bounds the payload in bytes; appending more aborts.
  explicit SecretFrame(std::size_t capacity);

  SecretFrame& plain(std::string_view text);
  // The text with its escapes, without quotes.
  SecretFrame& secret(ByteView text);
  // In decimal, at most two digits.
  SecretFrame& secret_number(std::uint8_t value);
  // One byte as it is.
  SecretFrame& secret_byte(std::uint8_t byte);
  // The whole frame, ready to be written; nothing may be appended afterwards.
  ByteView seal() noexcept;
  // The same without head and mask, ended by a zero byte.
  ByteView seal_with_zero() noexcept;

 private:
  void put(std::uint8_t byte);
  SecretBytes block_;
  std::size_t end_;
};

}  // namespace popvault::injector
