#include "gate/recipes.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "crypto/recipe_signature.hpp"
#include "gate/policies.hpp"

namespace popvault::gate {
namespace {

constexpr std::string_view kPrefix = "recipe.";

Result<KeptRecipe> kept(store::Row row) {
  KeptRecipe out;
  out.name = row.body["name"].text_or("");
  const std::int64_t version = row.body["version"].int_or(0);
  out.text = row.body["text"].text_or("");
  out.is_signed = row.body["signed"].bool_or(false);
  out.pinned = row.body["pinned"].bool_or(false);
  out.added_at = row.body["added_at"].int_or(0);
  if (version < 1 || version > UINT32_MAX) return fail(Errc::state_corrupt, "a recipe");
  out.version = static_cast<std::uint32_t>(version);
  if (row.id != recipe_row(out.name, out.version)) return fail(Errc::state_corrupt, "a recipe");
  out.row = std::move(row);
  return out;
}

std::set<std::string> all_origins(const wire::Recipe& recipe) {
  std::set<std::string> out;
  for (const Origin& origin : recipe.origins()) out.insert(origin.text());
  for (const wire::FrameRule& frame : recipe.frames)
    for (const wire::UrlPattern& url : frame.urls) out.insert(url.origin.text());
  for (const wire::UrlPattern& url : recipe.challenges) out.insert(url.origin.text());
  return out;
}

Result<wire::Recipe> parsed(const KeptRecipe& one) {
  auto recipe = wire::Recipe::parse(one.text);
  if (recipe) return recipe;
  return fail(Errc::bad_recipe, one.name + " version " + std::to_string(one.version) + ", which is in force");
}

std::vector<KeptRecipe> versions_of(std::vector<KeptRecipe> all, std::string_view name) {
  std::erase_if(all, [&](const KeptRecipe& one) { return one.name != name; });
  return all;
}

const KeptRecipe* in_force(const std::vector<KeptRecipe>& versions) {
  const auto found = std::find_if(versions.begin(), versions.end(), [](const KeptRecipe& one) { return one.pinned; });
  return found == versions.end() ? nullptr : &*found;
}

tl::unexpected<Error> no_such(const std::string& name) { return fail(Errc::not_found, "recipe " + name); }

Status put_pinned(store::Transaction& tx, const KeptRecipe& one, bool pinned) {
  store::Row row = one.row;
  row.body.set("pinned", pinned);
  return tx.put(store::Table::settings, row);
}

Json named(const KeptRecipe& one) { return Json::Object{{"recipe", one.name}, {"version", std::int64_t{one.version}}}; }

// `next` comes into force in place of the one that is.
Result<KeptRecipe> pin(Session& session, const std::vector<KeptRecipe>& versions, KeptRecipe next, journal::Kind kind) {
  const KeptRecipe* now = in_force(versions);
  if (next.pinned) return next;
  PV_TRY(parsed(next));
  PV_ASSIGN(auto tx, session.begin());
  if (now != nullptr) PV_TRY(put_pinned(tx, *now, false));
  PV_TRY(put_pinned(tx, next, true));
  Json body = named(next);
  body.set("before", now != nullptr ? Json(std::int64_t{now->version}) : Json());
  PV_TRY(tx.journal(kind, std::move(body)));
  PV_TRY(session.commit(tx));
  next.pinned = true;
  return next;
}

}  // namespace

std::string recipe_row(std::string_view name, std::uint32_t version) {
  return std::string(kPrefix) + std::string(name) + "." + std::to_string(version);
}

Result<std::vector<KeptRecipe>> kept_recipes(Session& session) {
  std::vector<KeptRecipe> out;
  PV_ASSIGN(auto rows, session.store().all(store::Table::settings));
  for (store::Row& row : rows) {
    if (!row.id.starts_with(kPrefix)) continue;
    PV_ASSIGN(KeptRecipe one, kept(std::move(row)));
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(),
            [](const KeptRecipe& a, const KeptRecipe& b) { return std::tie(a.name, a.version) < std::tie(b.name, b.version); });
  return out;
}

Result<std::vector<ActiveRecipe>> recipes_for(Session& session, std::string_view merchant, const std::vector<std::string>& processors) {
  std::vector<ActiveRecipe> out;
  PV_ASSIGN(auto all, kept_recipes(session));
  for (KeptRecipe& one : all) {
    if (!one.pinned) continue;
    PV_ASSIGN(const wire::Recipe recipe, parsed(one));
    const std::set<std::string> origins = all_origins(recipe);
    const bool concerns = origins.contains(std::string(merchant)) ||
                          std::any_of(processors.begin(), processors.end(), [&](const std::string& p) { return origins.contains(p); });
    if (concerns) out.push_back({std::move(one.name), one.version, recipe.mode, std::move(one.text)});
  }
  return out;
}

Result<std::vector<std::string>> processor_origins(Session& session) {
  std::set<std::string> origins, merchants;
  PV_ASSIGN(const auto policies, session.store().all(store::Table::policies));
  for (const store::Row& row : policies) {
    PV_ASSIGN(const policy::Policy policy, policy_from(row.body));
    for (const policy::Merchant& merchant : policy.merchants) {
      merchants.insert(merchant.origin);
      origins.insert(merchant.processors.begin(), merchant.processors.end());
    }
  }
  PV_ASSIGN(const auto all, kept_recipes(session));
  for (const KeptRecipe& one : all) {
    if (!one.pinned) continue;
    PV_ASSIGN(const wire::Recipe recipe, parsed(one));
    origins.merge(all_origins(recipe));
  }
  for (const std::string& merchant : merchants) origins.erase(merchant);
  return std::vector<std::string>(origins.begin(), origins.end());
}

Result<KeptRecipe> add_recipe(Session& session, const std::string& text, std::string_view signature, bool owner_vouches) {
  PV_ASSIGN(const wire::Recipe recipe, wire::Recipe::parse(text));
  KeptRecipe one{recipe.name, recipe.version, text, crypto::recipe_signed(as_bytes(text), signature), false, session.clock().now(), {}};
  if (!one.is_signed && !owner_vouches) return fail(Errc::recipe_signature, recipe.name);
  PV_ASSIGN(auto all, kept_recipes(session));
  const std::size_t count = all.size();
  const auto versions = versions_of(std::move(all), one.name);
  if (std::any_of(versions.begin(), versions.end(), [&](const KeptRecipe& other) { return other.version == one.version; }))
    return fail(Errc::already_exists, one.name + " version " + std::to_string(one.version));
  if (count >= kMostRecipes) return fail(Errc::unsupported, "more than 64 recipes; remove what is not used");
  const KeptRecipe* now = in_force(versions);
  one.pinned = now == nullptr || one.version > now->version;
  one.row.id = recipe_row(one.name, one.version);
  PV_ASSIGN(const auto gone, session.store().get_with_deleted(store::Table::settings, one.row.id));
  one.row.version = gone ? gone->version : 0;
  one.row.body = Json::Object{{"added_at", one.added_at}, {"name", one.name},        {"pinned", one.pinned},
                              {"signed", one.is_signed},  {"text", one.text}, {"version", std::int64_t{one.version}}};
  PV_ASSIGN(auto tx, session.begin());
  if (one.pinned && now != nullptr) PV_TRY(put_pinned(tx, *now, false));
  PV_TRY(tx.put(store::Table::settings, one.row));
  Json body = named(one);
  body.set("pinned", one.pinned);
  body.set("signed", one.is_signed);
  PV_TRY(tx.journal(journal::Kind::recipe_added, std::move(body)));
  PV_TRY(session.commit(tx));
  return one;
}

Result<std::size_t> remove_recipe(Session& session, const std::string& name) {
  PV_ASSIGN(auto all, kept_recipes(session));
  const auto versions = versions_of(std::move(all), name);
  if (versions.empty()) return no_such(name);
  PV_ASSIGN(auto tx, session.begin());
  for (const KeptRecipe& one : versions)
    PV_TRY(tx.put(store::Table::settings, {one.row.id, one.row.version, Json::Object{{"deleted", true}}}));
  Json body;
  body.set("recipe", name);
  body.set("versions", static_cast<std::int64_t>(versions.size()));
  PV_TRY(tx.journal(journal::Kind::recipe_removed, std::move(body)));
  PV_TRY(session.commit(tx));
  return versions.size();
}

Result<KeptRecipe> pin_recipe(Session& session, const std::string& name, std::uint32_t version) {
  PV_ASSIGN(auto all, kept_recipes(session));
  const auto versions = versions_of(std::move(all), name);
  const auto next = std::find_if(versions.begin(), versions.end(), [&](const KeptRecipe& one) { return one.version == version; });
  if (next == versions.end()) return no_such(name + " version " + std::to_string(version));
  return pin(session, versions, *next, journal::Kind::recipe_pinned);
}

Result<KeptRecipe> roll_back_recipe(Session& session, const std::string& name) {
  PV_ASSIGN(auto all, kept_recipes(session));
  const auto versions = versions_of(std::move(all), name);
  const KeptRecipe* now = in_force(versions);
  if (now == nullptr) return no_such(name);
  if (now == versions.data()) return no_such(name + " older than version " + std::to_string(now->version));
  return pin(session, versions, *(now - 1), journal::Kind::recipe_rolled_back);
}

}  // namespace popvault::gate
