// The book: every purchase's state and money. The only code that moves a purchase or a ledger row.
//
// A ledger row is never changed. It is an entry of a purchase, `<purchase>.hold`, `.debit` or `.release`, so that each can be
// written once, or an `adj_...` of the owner: {agent, amount_minor, at, currency, entry, purchase, record}, sealed as all rows
// are. What is held is HOLD - DEBIT - RELEASE over all time, what is spent in a window is DEBIT + ADJUST in it, where less
// is taken off the newest that was spent before, so that it never is credit for later; both count
// against a cap. Rows of schema 1 and 2 (the purchase's id, a `state`) are read as what they say.
//
// The sums are kept in memory, built from rows that were verified, and move with each write: a write that does not become
// durable makes the book read everything anew. Sums saturate. Needs the store unsealed. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ledger/purchases.hpp"
#include "policy/decide.hpp"
#include "store/store.hpp"

namespace popvault::ledger {

constexpr Seconds kHour = 3600;
constexpr Seconds kDay = 24 * kHour;
constexpr Seconds kMonth = 30 * kDay;
constexpr Seconds kClockSlack = 120;  // a purchase from later than that in the future is not filled: the clock was set back since

class Book {
 public:
  // Reads every open hold and the last 30 days, from rows that were verified.
  Status load(store::Store& store);
  void clear();

  // A new purchase with its status in the body: a HOLD is written when that status holds money.
  Status begin(store::Transaction& tx, const store::Row& purchase);
  // The purchase becomes `status`, and its money follows. Another step than the table has is a typed refusal that tells
  // why (purchase_used, purchase_expired, ...). `purchase` is updated.
  Status move(store::Transaction& tx, store::Row& purchase, std::string_view status);
  // deny and cancel, which may come late: a purchase that has ended already stays as it is.
  Status give_up(store::Transaction& tx, store::Row& purchase, std::string_view status);
  // By the owner: more spent, or less.
  Status adjust(store::Transaction& tx, std::string_view agent, std::string_view currency, std::int64_t amount,
                std::string_view reason);

  // What counts against an agent's caps now, without one purchase's own hold. What lies in the future, by a clock that was
  // set back, counts.
  policy::Spent spent(std::string_view agent, std::string_view currency, Seconds now, std::string_view except = {}) const;
  // Of an agent's purchases, how many wait for the owner; of all when none is named.
  std::int64_t waiting(std::string_view agent = {}) const;
  // The ids of open purchases: those whose time is over, those in a state.
  std::vector<std::string> overdue(Seconds now) const;
  std::vector<std::string> in_state(std::string_view status) const;
  // Whether a row could not be read: then nothing may be spent.
  bool whole() const noexcept { return whole_; }

 private:
  struct Hold {
    std::string currency, status;
    std::int64_t amount = 0;
    Seconds at = 0;          // of the HOLD
    Seconds expires = 0;
  };
  struct Spending {
    std::int64_t amount;
    Seconds at;
  };
  struct Account {
    std::vector<Spending> rows;   // DEBIT and ADJUST, as they are
    std::vector<Spending> spent;  // the same, with what was taken back taken off what was spent before
    std::vector<Seconds> uses;    // HOLDs of purchases that ended in a DEBIT
  };
  Status write(store::Transaction& tx, const store::Row& purchase, Money money, Seconds now);
  Account& account(std::string_view agent, std::string_view currency);
  static void renew(Account& account);
  void hold(const store::Row& purchase, std::string_view status);
  void changed(store::Transaction& tx);

  store::Store* store_ = nullptr;
  bool whole_ = false;
  // By agent and purchase: a request looks at its own agent's only.
  std::map<std::string, std::unordered_map<std::string, Hold>, std::less<>> holds_;
  std::map<std::pair<std::string, std::string>, Account, std::less<>> accounts_;  // by agent and currency
};

}  // namespace popvault::ledger
