// Recipes as rows of state.db: the settings rows "recipe.NAME.VERSION". Several versions of a name are kept, and at most
// one of them is in force (pinned). What a recipe says is src/wire; who may change them is the daemon's table. The loop's
// thread.
//
// Body of a row: name, version, text (the recipe, byte for byte), signed (by the key this popvault was built with, else the
// owner alone vouches for it), pinned, added_at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "session/session.hpp"
#include "wire/recipe.hpp"

namespace popvault::gate {

constexpr std::size_t kMostRecipes = 64;  // rows: all versions of all names

// One that is in force. `text` parses.
struct ActiveRecipe {
  std::string name;
  std::uint32_t version = 0;
  wire::Mode mode{};
  std::string text;
};

// One that is kept, in force or not.
struct KeptRecipe {
  std::string name;
  std::uint32_t version = 0;
  std::string text;
  bool is_signed = false;
  bool pinned = false;
  Seconds added_at = 0;
  store::Row row;
};

// Every version of every recipe, by name and then version. A row that does not verify is state_corrupt or
// state_rolled_back, while locked: locked.
Result<std::vector<KeptRecipe>> kept_recipes(Session& session);

// Those in force that have something to do with this merchant: one of the origins of their documents, requests or posting
// frames is the merchant or one of `processors`. By name. A recipe in force that this popvault cannot read is bad_recipe.
Result<std::vector<ActiveRecipe>> recipes_for(Session& session, std::string_view merchant, const std::vector<std::string>& processors);

// What agents are kept out of: the processors of every policy, and the origins of every recipe in force (documents, requests,
// posting frames, 3-D Secure), without those that are a merchant of a policy. Each once, sorted. The same errors.
Result<std::vector<std::string>> processor_origins(Session& session);

// The owner's changes; each is one transaction with its journal row.
//
// A new recipe of a new name, or newer than the version in force, comes into force; an older one is kept only. Without a good
// `signature` (hex; empty: none) it is recipe_signature, unless the owner vouches for it. Fails with bad_recipe, and with
// already_exists when this version is kept.
Result<KeptRecipe> add_recipe(Session& session, const std::string& text, std::string_view signature, bool owner_vouches);
// All versions of a name; gives how many. not_found.
Result<std::size_t> remove_recipe(Session& session, const std::string& name);
// Puts a version that is kept in force, instead of the one that is. not_found.
Result<KeptRecipe> pin_recipe(Session& session, const std::string& name, std::uint32_t version);
// The same with the newest version that is older than the one in force. not_found when there is none.
Result<KeptRecipe> roll_back_recipe(Session& session, const std::string& name);

std::string recipe_row(std::string_view name, std::uint32_t version);

}  // namespace popvault::gate
