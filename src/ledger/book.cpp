#include "ledger/book.hpp"

#include <algorithm>

#include "base/money.hpp"
#include "crypto/random.hpp"

namespace popvault::ledger {
namespace {

constexpr std::int64_t kMostSum = INT64_MAX / 4;

std::int64_t add(std::int64_t a, std::int64_t b) {
  return std::clamp(a + std::clamp(b, -kMostSum, kMostSum), -kMostSum, kMostSum);
}

std::string_view word_of(Money money) {
  switch (money) {
    case Money::hold: return "hold";
    case Money::debit: return "debit";
    case Money::release: return "release";
    case Money::stays: break;
  }
  return "";
}

// What a row says was spent, in the words of either form; adjusts and debits only.
bool is_spending(const store::Row& row) {
  const std::string entry = row.body["entry"].text_or(row.body["state"].text_or(""));
  return entry == "debit" || entry == "adjust";
}

}  // namespace

void Book::clear() {
  whole_ = false;
  holds_.clear();
  accounts_.clear();
}

Book::Account& Book::account(std::string_view agent, std::string_view currency) {
  return accounts_[{std::string(agent), std::string(currency)}];
}

void Book::hold(const store::Row& purchase, std::string_view status) {
  const Json& body = purchase.body;
  holds_[body["agent"].text_or("")][purchase.id] = {body["currency"].text_or(""), std::string(status),
                                                    body["amount_minor"].int_or(kMaxMinor),
                                                    body["held_at"].int_or(body["requested_at"].int_or(0)), body["expires_at"].int_or(0)};
}

// In the order of time; of one second, what was spent first.
void Book::renew(Account& account) {
  std::vector<Spending> rows = account.rows;
  std::stable_sort(rows.begin(), rows.end(), [](const Spending& a, const Spending& b) {
    return a.at != b.at ? a.at < b.at : (a.amount >= 0) > (b.amount >= 0);
  });
  account.spent.clear();
  for (const Spending& row : rows) {
    if (row.amount >= 0) {
      account.spent.push_back(row);
      continue;
    }
    std::int64_t back = row.amount == INT64_MIN ? INT64_MAX : -row.amount;
    for (auto at = account.spent.rbegin(); at != account.spent.rend() && back > 0; ++at) {
      const std::int64_t part = std::min(at->amount, back);
      at->amount -= part;
      back -= part;
    }
  }
}

Status Book::load(store::Store& store) {
  clear();
  store_ = &store;
  const Seconds since = store.clock().now() - kMonth;
  for (const char* status : {"awaiting_approval", "approved", "filling", "armed", "outcome_unknown"}) {
    PV_ASSIGN(const auto rows, store.purchases_with_status(status));
    for (const store::Row& row : rows) hold(row, status);
  }
  PV_ASSIGN(const auto rows, store.ledger_since(since));
  for (const store::Row& row : rows) {
    if (!is_spending(row)) continue;
    Account& its = account(row.body["agent"].text_or(""), row.body["currency"].text_or(""));
    its.rows.push_back({row.body["amount_minor"].int_or(kMaxMinor), row.body["at"].int_or(0)});
    if (row.body["entry"].text_or("debit") == "debit") its.uses.push_back(row.body["held_at"].int_or(row.body["at"].int_or(0)));
  }
  for (auto& entry : accounts_) renew(entry.second);
  whole_ = true;
  return {};
}

// What is written may still not become durable: then memory must not say that it did.
void Book::changed(store::Transaction& tx) {
  tx.if_undone([this, store = store_] {
    if (!store->unsealed() || !load(*store)) clear();
  });
}

Status Book::write(store::Transaction& tx, const store::Row& purchase, Money money, Seconds now) {
  if (money == Money::stays) return {};
  const Json& body = purchase.body;
  store::Row row{purchase.id + "." + std::string(word_of(money)), 0, {}};
  row.body.set("agent", body["agent"]);
  row.body.set("amount_minor", body["amount_minor"]);
  row.body.set("at", now);
  row.body.set("currency", body["currency"]);
  row.body.set("entry", word_of(money));
  if (money == Money::debit) row.body.set("held_at", body["held_at"]);
  row.body.set("purchase", purchase.id);
  row.body.set("record", body["record"]);
  return tx.put(store::Table::ledger, row);
}

Status Book::begin(store::Transaction& tx, const store::Row& purchase) {
  if (!whole_) return fail(Errc::state_corrupt, "the ledger could not be read");
  const Json& body = purchase.body;
  const std::string status = body["status"].text_or("");
  PV_TRY(tx.put(store::Table::purchases, purchase));
  if (!holds(status)) return {};
  changed(tx);
  hold(purchase, status);
  return write(tx, purchase, Money::hold, body["held_at"].int_or(0));
}

Status Book::move(store::Transaction& tx, store::Row& purchase, std::string_view status) {
  if (!whole_) return fail(Errc::state_corrupt, "the ledger could not be read");
  const std::string from = purchase.body["status"].text_or("");
  if (!may_become(from, status)) {
    const bool by_owner_later = status == "settled" || status == "released";
    return fail(by_owner_later || (from == "approved" && status == "approved") ? Errc::wrong_status : refusal_of(from));
  }
  const Seconds now = store_->clock().now();
  const Money money = money_of(from, status);
  changed(tx);
  if (money == Money::hold) purchase.body.set("held_at", now);
  purchase.body.set("status", std::string(status));
  PV_TRY(tx.put(store::Table::purchases, purchase));
  ++purchase.version;
  PV_TRY(write(tx, purchase, money, now));
  const Json& body = purchase.body;
  if (money == Money::debit) {
    Account& its = account(body["agent"].text_or(""), body["currency"].text_or(""));
    its.rows.push_back({body["amount_minor"].int_or(kMaxMinor), now});
    renew(its);
    its.uses.push_back(body["held_at"].int_or(now));
  }
  if (holds(status)) {
    hold(purchase, status);
  } else if (const auto its = holds_.find(body["agent"].text_or("")); its != holds_.end()) {
    its->second.erase(purchase.id);
    if (its->second.empty()) holds_.erase(its);
  }
  return {};
}

Status Book::give_up(store::Transaction& tx, store::Row& purchase, std::string_view status) {
  if (!may_become(purchase.body["status"].text_or(""), status)) return {};
  if (status == "denied") {
    purchase.body.set("reason", "denied");
    purchase.body.set("denied_by_owner", true);
  }
  return move(tx, purchase, status);
}

Status Book::adjust(store::Transaction& tx, std::string_view agent, std::string_view currency, std::int64_t amount,
                    std::string_view reason) {
  if (!whole_) return fail(Errc::state_corrupt, "the ledger could not be read");
  changed(tx);
  const Seconds now = store_->clock().now();
  store::Row row{"adj_" + crypto::random_token(26), 0, {}};
  row.body.set("agent", agent);
  row.body.set("amount_minor", amount);
  row.body.set("at", now);
  row.body.set("currency", currency);
  row.body.set("entry", "adjust");
  row.body.set("reason", reason);
  PV_TRY(tx.put(store::Table::ledger, row));
  Account& its = account(agent, currency);
  its.rows.push_back({amount, now});
  renew(its);
  return {};
}

policy::Spent Book::spent(std::string_view agent, std::string_view currency, Seconds now, std::string_view except) const {
  policy::Spent out;
  std::int64_t held = 0;
  if (const auto its = holds_.find(agent); its != holds_.end()) {
    for (const auto& [id, hold] : its->second) {
      if (id == except) continue;
      if (hold.at > now - kHour) ++out.uses_hour;
      // A hold counts until it is settled or released, however old it is.
      if (hold.currency == currency) held = add(held, hold.amount);
    }
  }
  for (auto at = accounts_.lower_bound(std::pair(std::string(agent), std::string())); at != accounts_.end() && at->first.first == agent; ++at) {
    for (const Seconds use : at->second.uses)
      if (use > now - kHour) ++out.uses_hour;
    if (at->first.second != currency) continue;
    for (const Spending& one : at->second.spent) {
      if (one.at > now - kDay) out.day = add(out.day, one.amount);
      if (one.at > now - kMonth) out.month = add(out.month, one.amount);
    }
  }
  out.day = add(out.day, held);
  out.month = add(out.month, held);
  return out;
}

std::int64_t Book::waiting(std::string_view agent) const {
  std::int64_t out = 0;
  for (const auto& [its_agent, purchases] : holds_)
    if (agent.empty() || its_agent == agent)
      out += std::count_if(purchases.begin(), purchases.end(),
                           [](const auto& entry) { return entry.second.status == "awaiting_approval"; });
  return out;
}

std::vector<std::string> Book::overdue(Seconds now) const {
  std::vector<std::string> out;
  for (const auto& [agent, purchases] : holds_)
    for (const auto& [id, hold] : purchases)
      if ((hold.status == "awaiting_approval" || hold.status == "approved" || hold.status == "armed") && hold.expires <= now)
        out.push_back(id);
  return out;
}

std::vector<std::string> Book::in_state(std::string_view status) const {
  std::vector<std::string> out;
  for (const auto& [agent, purchases] : holds_)
    for (const auto& [id, hold] : purchases)
      if (hold.status == status) out.push_back(id);
  return out;
}

}  // namespace popvault::ledger
