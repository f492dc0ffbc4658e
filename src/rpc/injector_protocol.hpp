// What popvaultd and popvault-injector say to each other: one SEQPACKET pair, descriptor 3 of the injector.
//
//   daemon -> injector   Job      what to fill where; no secret
//   injector -> daemon   Ready    every required field was found and checked; the bundle may come
//   daemon -> injector   Bundle   with the secret bundle's descriptor
//   injector -> daemon   Done     the last message: what came of it
//
// With wire and wire_attached the page gets the Job's aliases, and the bundle comes later:
//
//   injector -> daemon   Ready    as above
//   daemon -> injector   Proceed  the aliases may be typed
//   injector -> daemon   Armed    they stand in the page; nothing secret has moved
//   injector -> daemon   Wanted   a request that a recipe of the Job allows is held: the bundle may come
//   daemon -> injector   Bundle
//   injector -> daemon   Done
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

constexpr std::size_t kMaxControl = 64 * 1024;
constexpr std::size_t kMaxOrigins = 33;
constexpr std::size_t kMaxRecipes = 8;       // of kMaxRecipe bytes at most
constexpr std::size_t kMaxRecipe = 8 * 1024;
// After Wanted, and after the end of Job::armed_ms: how long the answer of a held request, or clearing, may take.
constexpr std::uint32_t kAnswerMs = 20'000;

enum class Message : std::uint8_t { job = 1, ready = 2, bundle = 3, done = 4, proceed = 5, armed = 6, wanted = 7 };

// The numbers of policy::Strength.
enum class Strength : std::uint8_t { dom = 0, wire_attached = 1, sealed = 2, wire = 3 };
constexpr std::uint8_t kStrengthCount = 4;

// What the record is, and so which fields there are to fill.
enum class Kind : std::uint8_t { card = 0, identity = 1, login = 2 };
constexpr std::uint8_t kKindCount = 3;

enum class Field : std::uint8_t {
  number = 0, exp = 1, exp_month = 2, exp_year = 3, cvc = 4, holder = 5,
  // of an identity
  name = 6, given_name = 7, family_name = 8, email = 9, phone = 10, address = 11, address2 = 12, city = 13, state = 14,
  postal_code = 15, country = 16,
  // of a login
  username = 17, password = 18, totp = 19
};
constexpr std::uint8_t kFieldCount = 20;
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
  page_tainted = 14,       // sealed: an agent could have scripted the document; nothing was typed
  recipe_mismatch = 15,    // wire: the held request is not what the recipe allows; it failed with the aliases in it
  account_mismatch = 16,   // wire: it names a merchant account that is not pinned
  no_request = 17,         // wire: the page was left, or the time was over, before a request came; nothing secret moved
  challenge = 18,          // a 3-D Secure challenge stands in the page: the owner must answer it (with typed: filled)
  price_mismatch = 19,     // what the page shows is further from what was approved than the drift allows
  guard_lost = 20,         // the guard ended or refused
};
constexpr std::uint8_t kOutcomeCount = 21;
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

// What stands in the page instead of the card's values (wire, wire_attached). Not secret.
struct Aliases {
  std::string number;     // as long as the card's number, of its brand, valid by Luhn
  std::string exp_month;  // two digits
  std::string exp_year;   // four digits
  std::string cvc;        // as long as the card's code; empty when it has none
  bool operator==(const Aliases&) const = default;
};

// The price that the page should show; none when `selector` is empty.
struct Price {
  std::string selector;           // CSS, of the owner's policy or a recipe
  std::int64_t amount_minor = 0;  // what was approved
  std::uint8_t exponent = 2;      // ISO 4217: digits after the point
  std::uint16_t drift = 0;        // in basis points, either way
  bool operator==(const Price&) const = default;
};

struct Job {
  JobId id{};
  bool by_target_id = false;         // else by exact URL
  std::string page;                  // at most 2048 bytes
  std::vector<std::string> origins;  // [0] the approved merchant origin, then its listed processors
  bool has_cvc = false;              // what the record holds beyond number and expiry
  bool has_holder = false;
  bool allow_loopback_http = false;  // else every origin must be https
  std::uint32_t deadline_ms = 0;     // of the conversation up to Armed or Done
  Kind kind = Kind::card;
  Strength strength = Strength::dom;
  bool guarded = false;              // descriptor 4 leads to the guard, 5 is the browser's pipe
  bool submit = false;               // press what the recipe names, or the form's one submit button
  bool open_page = false;            // sealed: `page` is a URL to open in a page of our own
  std::uint32_t armed_ms = 0;        // how long a request is waited for after Armed
  std::uint32_t fields = 0;          // of an identity or a login: the bits 1 << Field that the record has
  Aliases aliases;
  std::vector<std::string> recipes;  // JSON texts (docs/RECIPES.md), at most 8 of 8 KiB
  std::vector<std::string> accounts; // merchant accounts pinned for origins[0]
  Price price;

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

// Messages that say nothing but that it is time.
struct Signal {
  Message type{};  // proceed, armed or wanted
  JobId id{};
  Bytes encode() const;
  static std::optional<Signal> decode(ByteView message);
};

// The message that carries the bundle's descriptor (SCM_RIGHTS). Fields of the bundle: of a card number,
// exp_month (two digits), exp_year (four digits), and cvv, holder if the Job says so; of an identity or a login those
// of src/vault/record_kinds.hpp, with the current code as totp.
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
