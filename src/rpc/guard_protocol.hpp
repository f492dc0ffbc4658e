// What popvaultd and popvault-browser (the guard) say to each other: one SEQPACKET pair, descriptor 3 of the guard.
//
//   daemon -> guard   Configure   the first message: how to start the browser
//   guard -> daemon   Started     its endpoint for agents, or Failed
//   daemon -> guard   Processors  origins whose documents no agent may touch, whenever they change
//   daemon -> guard   Open        a connection for one injector
//   guard -> daemon   Opened      with two descriptors: a stream to the guard, and the pipe to the browser; or Refused
//   daemon -> guard   Close       the job is over, however it ended: what was sealed for it is unsealed once it is clean
//
// The guard ends when the pair closes, and the browser with it. What it says is numbers and enums: nothing of a page
// reaches the daemon. Integers are big-endian; a message that does not parse to its last byte ends the conversation.
//
// On the stream of Opened the injector speaks CDP as on Chromium's pipe: one JSON message after the other, each ended by
// a zero byte; an id is answered with that id, and sessions are the browser's own. Beside CDP there are four methods,
// taken without a sessionId:
//
//   Popvault.begin  {}                      -> {id}   the browser's pipe is the injector's until Popvault.end: one message
//                                                    with this id, ended by a zero byte, goes straight into it, past the
//                                                    guard. Its answer comes on the stream under this id.
//   Popvault.end    {}                      -> {}
//   Popvault.seal   {targetId, frameIds}    -> {}    or the error `tainted`: an agent could have scripted one of these
//                                                    documents, or can. From the answer on no agent can read the page or
//                                                    any of its frames.
//   Popvault.unseal {targetId}              -> {}    the fields are empty again, or the documents gone
//   Popvault.open   {url, own}              -> {targetId}   a page that no agent is attached to before it is unsealed; `own`: in
//                                                    a browser context of its own, which ends then
//   Popvault.redact {targetId}              -> {}    agents see this page's URLs and titles as its origin from now on
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "rpc/injector_protocol.hpp"

namespace popvault::guard {

using injector::Strength;

constexpr std::size_t kMaxControl = 64 * 1024;
constexpr std::size_t kMaxProcessors = 512;

enum class Message : std::uint8_t {
  configure = 1, started = 2, failed = 3, processors = 4, open = 5, opened = 6, refused = 7, close = 8
};

enum class Reason : std::uint8_t {
  none = 0,
  no_browser = 1,       // no Chromium or Chrome was found
  browser_failed = 2,   // it ended, or did not speak the protocol
  port_taken = 3,
  bad_profile = 4,      // the default profile, another user's, or one that is in use
  bad_setting = 5,
};
constexpr std::uint8_t kReasonCount = 6;

struct Configure {
  std::string program;                   // of the browser; empty: the first that is found
  bool headless = false;
  std::uint16_t port = 0;                // of the endpoint for agents; 0: any
  std::string profile;                   // folder; absolute
  std::string exchange;                  // the one folder for uploads and downloads; empty: none
  bool require_token = false;
  std::vector<std::string> environment;  // NAME=VALUE for the browser: display, session bus, locale, home
  std::vector<std::string> processors;
  Bytes encode() const;
  static std::optional<Configure> decode(ByteView message);
};

struct Started {
  std::uint16_t port = 0;
  std::string token;  // 32 hex digits when one is required, else empty
  Bytes encode() const;
  static std::optional<Started> decode(ByteView message);
};

struct Failed {
  Reason reason{};
  Bytes encode() const;
  static std::optional<Failed> decode(ByteView message);
};

struct Processors {
  std::vector<std::string> origins;
  Bytes encode() const;
  static std::optional<Processors> decode(ByteView message);
};

struct Open {
  JobId id{};
  Strength strength{};
  Bytes encode() const;
  static std::optional<Open> decode(ByteView message);
};

// opened (with two descriptors), refused or close.
struct Signal {
  Message type{};
  JobId id{};
  Bytes encode() const;
  static std::optional<Signal> decode(ByteView message);
};

}  // namespace popvault::guard
