// What the methods of both sockets do. One handler, one method; which may be called when, by whom and with what
// proof is the table in dispatch.cpp, so no handler asks.
#pragma once

#include "daemon/application.hpp"
#include "daemon/call.hpp"

namespace popvault::daemon {

using Handler = Status (*)(Application&, Call&);

// agents_expiring and agent_anomalies of the status, while unlocked.
Status add_agent_warnings(Application& app, Json& status);

namespace agent_methods {
Status vault_status(Application&, Call&);
Status session_hello(Application&, Call&);
Status credentials_list(Application&, Call&);
Status credentials_get(Application&, Call&);
Status purchase_request(Application&, Call&);
Status purchase_fill(Application&, Call&);
Status identity_fill(Application&, Call&);
Status login_fill(Application&, Call&);
Status purchase_status(Application&, Call&);
Status purchase_wait(Application&, Call&);
Status purchase_cancel(Application&, Call&);
Status events_subscribe(Application&, Call&);
}  // namespace agent_methods

// {endpoint, headless, kind: "guarded"}, or null.
Json guarded_browser(const Guard& guard);

namespace owner_methods {
Status hello(Application&, Call&);
Status vault_status(Application&, Call&);
Status vault_init(Application&, Call&);
Status vault_unlock(Application&, Call&);
Status vault_lock(Application&, Call&);
Status vault_freeze(Application&, Call&);
Status vault_unfreeze(Application&, Call&);
Status daemon_stop(Application&, Call&);
Status events_subscribe(Application&, Call&);
Status proof_challenge(Application&, Call&);
Status record_add(Application&, Call&);
Status record_list(Application&, Call&);
Status record_show(Application&, Call&);
Status record_edit(Application&, Call&);
Status record_remove(Application&, Call&);
Status record_restore(Application&, Call&);
Status record_reveal(Application&, Call&);
Status record_export(Application&, Call&);
Status agent_add(Application&, Call&);
Status agent_list(Application&, Call&);
Status agent_rotate(Application&, Call&);
Status agent_suspend(Application&, Call&);
Status agent_resume(Application&, Call&);
Status agent_revoke(Application&, Call&);
Status authenticator_add(Application&, Call&);
Status authenticator_list(Application&, Call&);
Status authenticator_remove(Application&, Call&);
Status policy_set(Application&, Call&);
Status policy_narrow(Application&, Call&);
Status policy_preview(Application&, Call&);
Status policy_explain(Application&, Call&);
Status policy_show(Application&, Call&);
Status policy_unset(Application&, Call&);
Status recipe_list(Application&, Call&);
Status recipe_add(Application&, Call&);
Status recipe_remove(Application&, Call&);
Status recipe_pin(Application&, Call&);
Status recipe_rollback(Application&, Call&);
Status config_get(Application&, Call&);
Status config_set(Application&, Call&);
Status browser_start(Application&, Call&);
Status browser_stop(Application&, Call&);
Status purchase_list(Application&, Call&);
Status purchase_approve(Application&, Call&);
Status purchase_deny(Application&, Call&);
Status purchase_settle(Application&, Call&);
Status purchase_release(Application&, Call&);
Status purchase_adjust(Application&, Call&);
Status grant_create(Application&, Call&);
Status grant_list(Application&, Call&);
Status grant_revoke(Application&, Call&);
Status vault_rekey(Application&, Call&);
Status vault_rotate(Application&, Call&);
Status vault_epochs(Application&, Call&);
Status vault_check(Application&, Call&);
Status recovery_create(Application&, Call&);
Status recovery_show(Application&, Call&);
Status recovery_report(Application&, Call&);
Status vault_recover(Application&, Call&);
Status backup_create(Application&, Call&);
Status backup_verify(Application&, Call&);
Status backup_restore(Application&, Call&);
Status audit_list(Application&, Call&);
Status audit_verify(Application&, Call&);
Status audit_export(Application&, Call&);
Status audit_purge(Application&, Call&);
}  // namespace owner_methods

}  // namespace popvault::daemon
