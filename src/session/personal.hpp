// What the journal tells of people: sealed apart from the row, so that it can be destroyed while the chain stays whole
// (docs/JOURNAL_FORMAT.md, "Personal payloads").
//
// A row about an agent holds the members executable, merchant, name, other, page_url and text in one member `personal`:
// {"period": N, "sealed": hex, "subject": agent id}, AES-256-GCM under the agent's key of that week. vault.enc holds
// the keys. Destroying one makes the payloads unreadable, here and in every export. The loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "session/session.hpp"

namespace popvault {

constexpr std::string_view kPersonal = "personal";
constexpr std::string_view kRetentionRow = "journal.retention_days";  // of the settings
constexpr std::int64_t kLeastRetentionDays = 7;
constexpr std::int64_t kMostRetentionDays = 36500;

// The week of a time, counted from 1970-01-01.
std::uint32_t personal_period(Seconds at) noexcept;

// The member `personal` for a journal row about this agent; null when there is no key (locked, or purged).
Json sealed_personal(Session& session, std::string_view agent, const Json& fields);
// The same put into a body, or left out.
void set_personal(Session& session, Json& body, std::string_view agent, const Json& fields);

// Opens them for the owner. One object per list: it keeps the keys of the weeks it met.
class PersonalReader {
 public:
  explicit PersonalReader(Session& session) : session_(&session) {}
  // The body with its personal members in their places; else `personal` is "locked" or "purged".
  Json shown(Json body);

 private:
  const SecretBytes* key_for(const std::string& agent, std::int64_t period);
  Session* session_;
  std::map<std::pair<std::string, std::int64_t>, std::optional<SecretBytes>> keys_;
};

// Keys for every agent that may still act and has none. They are in vault.enc with the next commit.
Status begin_subjects(Session& session);

// Destroys the keys of an agent and takes what is personal out of its purchases; an agent that is not revoked gets new
// keys. Gives the number of purchases. wrong_status while one of them is not over. Cut off, it is finished by the next try.
Result<std::int64_t> purge_subject(Session& session, const store::Row& agent);

// By the setting journal.retention_days: destroys the keys of weeks that lie wholly before, and takes what is personal
// out of purchases that are over and older, at most kMostForgotten at once. Without the setting nothing.
constexpr std::int64_t kMostForgotten = 100;
Status keep_retention(Session& session);

}  // namespace popvault
