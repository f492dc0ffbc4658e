// Execution grants: named records, for one agent, for a while, with the vault otherwise locked (DESIGN 4).
//
// A grant is a row of the table `grants` {agent, created_at, expires_at, records, sealed, status} and, while it lives, its
// records' keys in secret memory. Together with the "row", "view" and "journal" subkeys that is all that is left when the
// vault is locked: no master key, no epoch key, no vault key. What is done under it is mirrored into the file granted.head,
// a head of the journal signed with the journal's key, since vault.enc cannot be written then.
//
// After a restart a grant is suspended until the next unlock, unless it was sealed: grants/<id>.grant holds the same keys
// under HKDF(the service's credential, "popvault:grant-seal"), AES-256-GCM as in vault.enc. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "os/clock.hpp"
#include "secret/secret_bytes.hpp"

namespace popvault {

constexpr Seconds kGrantTime = 3600;
constexpr Seconds kLongestGrant = 24 * 3600;
constexpr std::size_t kMostGrants = 64;
constexpr std::size_t kMostGrantRecords = 64;

struct Grant {
  std::string id;  // "grt_" and 26 characters
  std::string agent;
  Seconds created_at = 0;
  Seconds expires_at = 0;
  bool sealed = false;
  std::map<std::string, SecretBytes, std::less<>> records;  // id -> record key
};

// Those that live, with their keys.
class Grants {
 public:
  void add(Grant grant) { grants_.insert_or_assign(grant.id, std::move(grant)); }
  bool remove(std::string_view id);
  void clear() { grants_.clear(); }
  bool empty() const noexcept { return grants_.empty(); }
  std::size_t size() const noexcept { return grants_.size(); }
  // A grant of this agent that names the record and is in force now; by a clock that was set back behind its beginning it
  // is not.
  const SecretBytes* key(std::string_view agent, std::string_view record, Seconds now) const;
  bool covers_agent(std::string_view agent, Seconds now) const;
  // Whether some grant, of any agent, needs the record as it is.
  bool uses(std::string_view record, Seconds now) const;
  bool has(std::string_view id) const { return grants_.contains(std::string(id)); }
  // Those whose time is over, taken out.
  std::size_t drop_overdue(Seconds now);
  template <class F>
  void each(F f) const {
    for (const auto& entry : grants_) f(entry.second);
  }

 private:
  std::map<std::string, Grant, std::less<>> grants_;
};

}  // namespace popvault
