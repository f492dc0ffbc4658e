// The one gate: every use of something by an agent goes through these steps in this order, and there is no
// other path to a record's key (docs/ARCHITECTURE.md, "The gate").
//
//   1 authenticate   2 state   3 rate   4 parse   5 authority   6 policy   7 reserve   8 approve
//   9 journal       10 unwrap 11 use   12 wipe   13 settle     14 journal 15 reply
//
// purchase.request is 1 to 8. purchase.fill is 1 to 6 again with the approval still valid, then the injector
// until it is ready, then 9 to 15.
#pragma once

#include "daemon/application.hpp"
#include "daemon/call.hpp"
#include "gate/policies.hpp"

namespace popvault::daemon {

// What an attached browser can give.
constexpr policy::Strength kAvailable = policy::Strength::dom;

// Step 2: unlocked is checked by the dispatch table; not frozen here.
Status check_usable(Application& app);

Status purchase_request(Application& app, Call& call);
Status purchase_fill(Application& app, Call& call);

// A record by id or alias, if the agent's policy names it; else not_found, as if there were none.
Result<store::Row> find_visible_record(Application& app, const store::Row& agent, std::string_view id_or_alias);
// Steps 5 and 6 for a request as it stands now; `except` is a purchase whose own hold does not count.
Result<policy::Decision> decide_now(Session& session, std::string_view agent, const policy::UseRequest& request,
                                    std::string_view except);
Result<bool> flag_setting(Session& session, std::string_view name);
// Whether the record was edited after the purchase was asked for.
bool edited_since(const store::Row& purchase, const store::Row& record);
// {purchase, status, reason, card, expires_at}: what an agent sees of its purchase.
Result<Json> purchase_view(Session& session, const store::Row& purchase);

}  // namespace popvault::daemon
