// What popvaultd and popvault-injector say to each other: one SEQPACKET pair, descriptor 3 of the injector.
//
//   daemon -> injector   Job      what to fill where; no secret
//   injector -> daemon   Ready    every required field was found and checked; the bundle may come
//   daemon -> injector   Bundle   with the secret bundle's descriptor
//   injector -> daemon   Done     the last message: what came of it
//
// Done may come at any time after Job. The daemon closes its end to stop the injector, which then clears what
// it typed, as far as it can, and exits. What the injector says is enums and indexes into lists that the Job
// gave: never text from a page. Messages are at most kMaxControl bytes; integers are big-endian; a message
// that does not parse to its last byte ends the conversation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "secret/bundle.hpp"

namespace popvault::injector {

constexpr std::size_t kMaxControl = 8 * 1024;
constexpr std::size_t kMaxOrigins = 33;

enum class Message : std::uint8_t { job = 1, ready = 2, bundle = 3, done = 4 };

enum class Field : std::uint8_t { number = 0, exp = 1, exp_month = 2, exp_year = 3, cvc = 4, holder = 5 };
constexpr std::uint8_t kFieldCount = 6;
std::string_view to_string(Field field) noexcept;

enum class Outcome : std::uint8_t {
  filled = 0,
  page_not_found = 1,
  page_ambiguous = 2,
  origin_mismatch = 3,     // the top-level origin is not origins[0]
  origin_not_allowed = 4,  // a needed field is only in a frame that is, or stands inside, an unlisted origin
  fields_missing = 5,
  fields_ambiguous = 6,
  field_rejected = 7,      // typed, but not kept by the page; see `cleared`
  navigated = 8,           // the document changed after it was checked
  browser_unreachable = 9,
  browser_refused = 10,
  timeout = 11,
  stopped = 12,            // the daemon closed the control channel
  failed = 13,             // a broken rule of the injector's own, or a malformed browser answer
};
constexpr std::uint8_t kOutcomeCount = 14;
// The reason word that an agent is told; `filled` has none and must not be asked for.
Errc to_errc(Outcome outcome) noexcept;

// Why one field is not filled.
enum class Why : std::uint8_t {
  ok = 0,
  missing = 1,
  hidden = 2,          // not rendered, transparent, or cannot be scrolled into view
  too_small = 3,
  covered = 4,
  frame_not_allowed = 5,
  ambiguous = 6,
  wrong_type = 7,      // a control that cannot hold the value
  not_kept = 8,        // the read-back differs
  no_such_option = 9,  // a select without the month or year
};
constexpr std::uint8_t kWhyCount = 10;
std::string_view to_string(Why why) noexcept;

struct Job {
  JobId id{};
  bool by_target_id = false;         // else by exact URL
  std::string page;                  // at most 2048 bytes
  std::vector<std::string> origins;  // [0] the approved merchant origin, then its listed processors
  bool has_cvc = false;              // what the record holds beyond number and expiry
  bool has_holder = false;
  bool allow_loopback_http = false;  // else every origin must be https
  std::uint32_t deadline_ms = 0;     // of the whole conversation

  Bytes encode() const;
  static std::optional<Job> decode(ByteView message);
};

struct FieldReport {
  Field field{};
  std::uint8_t origin = 0;  // index into Job::origins; 0xff when no frame had it
  Why why{};
};

struct Ready {
  JobId id{};
  std::vector<FieldReport> fields;
  Bytes encode() const;
  static std::optional<Ready> decode(ByteView message);
};

// The message that carries the bundle's descriptor (SCM_RIGHTS). Fields of the bundle: number, exp_month (two
// digits), exp_year (four digits), and cvv, holder if the Job says so.
struct BundleNotice {
  JobId id{};
  Bytes encode() const;
  static std::optional<BundleNotice> decode(ByteView message);
};

struct Done {
  JobId id{};
  Outcome outcome{};
  bool typed = false;    // at least one secret byte was sent to the browser
  bool cleared = false;  // and every field that got one was emptied and read back empty
  std::vector<FieldReport> fields;
  Bytes encode() const;
  static std::optional<Done> decode(ByteView message);
};

}  // namespace popvault::injector
