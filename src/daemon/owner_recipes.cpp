// owner.sock: recipes.

#include "daemon/handlers.hpp"
#include "gate/recipes.hpp"
#include "rpc/params.hpp"

namespace popvault::daemon::owner_methods {
namespace {

constexpr std::size_t kLongestName = 32;
constexpr std::int64_t kLastVersion = UINT32_MAX;

// One that this popvault cannot read has no mode.
Json to_json(const gate::KeptRecipe& one) {
  const auto recipe = wire::Recipe::parse(one.text);
  Json::Array origins;
  if (recipe)
    for (const Origin& origin : recipe->origins()) origins.emplace_back(origin.text());
  Json out;
  out.set("added_at", rfc3339(one.added_at));
  out.set("mode", recipe ? Json(recipe->mode == wire::Mode::wire ? "wire" : "sealed") : Json());
  out.set("name", one.name);
  out.set("origins", std::move(origins));
  out.set("pinned", one.pinned);
  out.set("signed", one.is_signed);
  out.set("title", recipe ? recipe->title : "");
  out.set("version", std::int64_t{one.version});
  return out;
}

// What was about to be done by the recipes of before ends.
Status answer(Application& app, Call& call, const gate::KeptRecipe& one) {
  app.injections.stop_waiting();
  call.reply->ok(to_json(one));
  return {};
}

}  // namespace

Status recipe_list(Application& app, Call& call) {
  PV_TRY(Params(call.params).done());
  PV_ASSIGN(const auto all, gate::kept_recipes(app.session));
  Json::Array items;
  for (const gate::KeptRecipe& one : all) items.push_back(to_json(one));
  Json out;
  out.set("recipes", std::move(items));
  call.reply->ok(std::move(out));
  return {};
}

Status recipe_add(Application& app, Call& call) {
  Params in(call.params);
  const std::string text = in.text("text", wire::kMaxRecipe);
  const std::string signature = in.optional_text("signature", 128).value_or("");
  const bool vouches = in.optional_flag("unsigned", false);
  PV_TRY(in.done());
  PV_ASSIGN(const gate::KeptRecipe added, gate::add_recipe(app.session, text, signature, vouches));
  return answer(app, call, added);
}

Status recipe_remove(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("name", kLongestName);
  PV_TRY(in.done());
  app.injections.stop_waiting();
  PV_ASSIGN(const std::size_t removed, gate::remove_recipe(app.session, name));
  Json out;
  out.set("name", name);
  out.set("removed", static_cast<std::int64_t>(removed));
  call.reply->ok(std::move(out));
  return {};
}

Status recipe_pin(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("name", kLongestName);
  const std::int64_t version = in.integer("version", 1, kLastVersion);
  PV_TRY(in.done());
  PV_ASSIGN(const gate::KeptRecipe pinned, gate::pin_recipe(app.session, name, static_cast<std::uint32_t>(version)));
  return answer(app, call, pinned);
}

Status recipe_rollback(Application& app, Call& call) {
  Params in(call.params);
  const std::string name = in.text("name", kLongestName);
  PV_TRY(in.done());
  PV_ASSIGN(const gate::KeptRecipe pinned, gate::roll_back_recipe(app.session, name));
  return answer(app, call, pinned);
}

}  // namespace popvault::daemon::owner_methods
