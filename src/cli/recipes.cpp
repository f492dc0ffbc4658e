// recipe list, add, remove, pin, rollback.
#include <algorithm>
#include <array>
#include <climits>

#include <unistd.h>

#include "base/display.hpp"
#include "cli/command.hpp"
#include "cli/local_files.hpp"
#include "cli/masked_text.hpp"
#include "cli/owner_session.hpp"
#include "cli/secret_input.hpp"
#include "crypto/recipe_signature.hpp"
#include "os/fs.hpp"
#include "wire/recipe.hpp"

namespace popvault::cli {
namespace {

constexpr std::size_t kMaxSignature = 256;
constexpr std::string_view kEnding = ".json";

// Where the recipes lie that came with this program: installed, or of a build tree; empty when there are none.
std::string shipped_folder() {
  std::array<char, PATH_MAX> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (n <= 0) return {};
  const std::string folder = parent_of(std::string_view(self.data(), static_cast<std::size_t>(n)));
  for (const char* way : {"/../share/popvault/recipes", "/../../share/popvault/recipes"})
    if (access((folder + way).c_str(), R_OK) == 0) return folder + way;
  return {};
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

struct RecipeFile {
  std::string text;
  std::string signature;  // hex; empty when there is none beside it
};

Result<RecipeFile> read_recipe(const std::string& path) {
  const auto text = read_named_file(path, wire::kMaxRecipe);
  if (!text && text.error().code == Errc::vault_corrupt) return fail(Errc::bad_recipe, "it is over 8 KiB");
  if (!text) return tl::unexpected(text.error());
  RecipeFile out{std::string(as_text(*text)), {}};
  auto signature = read_named_file(path + ".sig", kMaxSignature);
  if (!signature && signature.error().code != Errc::not_found) return tl::unexpected(signature.error());
  if (signature) {
    const std::string_view hex = as_text(*signature);
    out.signature = hex.substr(0, hex.find('\n'));
  }
  return out;
}

Result<RecipeFile> find_recipe(const std::string& name_or_file) {
  if (!is_name(name_or_file)) return read_recipe(name_or_file);
  const std::string folder = shipped_folder();
  auto found = folder.empty() ? Result<RecipeFile>(fail(Errc::not_found)) : read_recipe(folder + "/" + name_or_file + std::string(kEnding));
  if (!found && found.error().code == Errc::not_found)
    return fail(Errc::not_found, "recipe " + name_or_file + "; a file is named with its folder, such as ./" + name_or_file);
  return found;
}

Json json_of(const wire::Recipe& recipe) {
  Json::Array origins;
  for (const Origin& origin : recipe.origins()) origins.emplace_back(origin.text());
  return Json::Object{{"mode", recipe.mode == wire::Mode::wire ? "wire" : "sealed"},
                      {"name", recipe.name},
                      {"origins", std::move(origins)},
                      {"title", recipe.title},
                      {"version", std::int64_t{recipe.version}}};
}

// Those that came with this program, by name. One that cannot be read is none.
Json::Array shipped_recipes(const Json& kept) {
  Json::Array out;
  const std::string folder = shipped_folder();
  auto names = folder.empty() ? Result<std::vector<std::string>>(std::vector<std::string>{}) : list_dir(real_fs(), folder);
  if (!names) return out;
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    if (!name.ends_with(kEnding)) continue;
    const auto file = read_recipe(folder + "/" + name);
    const auto recipe = file ? wire::Recipe::parse(file->text) : Result<wire::Recipe>(tl::unexpected(file.error()));
    if (!recipe) continue;
    Json one = json_of(*recipe);
    const auto* rows = kept.array();
    const bool added = rows != nullptr && std::any_of(rows->begin(), rows->end(), [&](const Json& row) {
      return row["name"] == one["name"] && row["version"] == one["version"];
    });
    one.set("added", added);
    one.set("signed", crypto::recipe_signed(as_bytes(file->text), file->signature));
    out.push_back(std::move(one));
  }
  return out;
}

// "stripe  version 2  wire  signed  https://api.stripe.com"
std::string recipe_line(const Json& one) {
  std::string out = escape_ascii(one["name"].text_or("?")) + "  version " + std::to_string(one["version"].int_or(0)) + "  " +
                    escape_ascii(one["mode"].text_or("unreadable")) + (one["signed"].bool_or(false) ? "  signed" : "  not signed");
  if (const auto* origins = one["origins"].array())
    for (const Json& origin : *origins) out += "  " + escape_ascii(origin.text_or("?"));
  return out + "\n";
}

std::string recipes_text(const Json& kept, const Json::Array& shipped) {
  std::string in_force, others, offered;
  if (const auto* rows = kept.array())
    for (const Json& one : *rows) (one["pinned"].bool_or(false) ? in_force : others) += "  " + recipe_line(one);
  for (const Json& one : shipped)
    if (!one["added"].bool_or(false)) offered += "  " + recipe_line(one);
  std::string out = in_force.empty() ? "in force: none\n" : "in force:\n" + in_force;
  if (!others.empty()) out += "kept, not in force (popvault recipe pin NAME VERSION):\n" + others;
  if (!offered.empty()) out += "offered, off until you add them (popvault recipe add NAME):\n" + offered;
  return out;
}

Output changed(const Json& one) {
  return {one, recipe_line(one) + (one["pinned"].bool_or(false) ? "it is in force\n" : "it is kept; a newer version is in force\n")};
}

}  // namespace

Result<Output> list_recipes(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(Json out, session.call("recipe.list"));
  Json::Array shipped = shipped_recipes(out["recipes"]);
  std::string text = recipes_text(out["recipes"], shipped);
  out.set("shipped", std::move(shipped));
  return Output{std::move(out), std::move(text)};
}

Result<Output> add_recipe(const Context& context) {
  const RecipeOptions& options = context.args.recipe;
  PV_ASSIGN(const RecipeFile file, find_recipe(options.recipe));
  PV_ASSIGN(const wire::Recipe recipe, wire::Recipe::parse(file.text));
  Json shown = json_of(recipe);
  const bool good = crypto::recipe_signed(as_bytes(file.text), file.signature);
  shown.set("signed", good);
  if (!good && !options.owner_vouches) return fail(Errc::recipe_signature, recipe.name);
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  if (!context.args.passphrase_fd)
    if (auto terminal = Terminal::open()) terminal->say(recipe_line(shown));
  Json params = Json::Object{{"text", file.text}};
  if (!file.signature.empty()) params.set("signature", file.signature);
  if (options.owner_vouches) params.set("unsigned", true);
  PV_ASSIGN(const Json added, call_proved(context, session, "recipe.add", std::move(params), "take this recipe"));
  return changed(added);
}

Result<Output> remove_recipe(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json result, session.call("recipe.remove", Json::Object{{"name", context.args.recipe.recipe}}));
  return Output{result, plain_line("name", result["name"]) + plain_line("removed", result["removed"])};
}

Result<Output> pin_recipe(const Context& context) {
  const RecipeOptions& options = context.args.recipe;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json pinned, call_proved(context, session, "recipe.pin",
                                           Json::Object{{"name", options.recipe}, {"version", options.version}}, "put it in force"));
  return changed(pinned);
}

Result<Output> roll_back_recipe(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(const Json pinned, call_proved(context, session, "recipe.rollback", Json::Object{{"name", context.args.recipe.recipe}},
                                           "put the version before in force"));
  return changed(pinned);
}

}  // namespace popvault::cli
