// A page's request against recipes: what fits is rebuilt with the values at their places and nowhere else, holds no alias
// any more, and is read back the same. The first byte chooses the body's form.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "wire/body.hpp"
#include "wire/echo.hpp"
#include "wire/match.hpp"
#include "wire/render.hpp"

using namespace popvault;
using namespace popvault::wire;

namespace {

constexpr std::string_view kForms[] = {"form", "json", "graphql", "multipart"};
constexpr std::string_view kTypes[] = {"application/x-www-form-urlencoded", "application/json", "application/json",
                                       "multipart/form-data; boundary=b"};
constexpr std::string_view kNumber = "5105105105105100";

Recipe recipe_for(std::size_t form) {
  const bool tree = form == 1 || form == 2;
  std::string text = R"({"name":"f","version":1,"title":"F","source":"none","date":"2026-01-31","mode":"wire","frames":["filled"],
    "requests":[{"origins":["https://pay.example"],"method":"POST","path":"/x","body":")";
  text.append(kForms[form]).append("\",");
  if (form == 2) text.append(R"("graphql":{"root":"t","arguments":{"i":"T!"}},)");
  text.append(R"("places":{"number":{"path":"n","form":"grouped"},"exp":{"path":"e","formats":["MM/YY","M/YYYY"]},"cvc":"c","holder":"h"},)");
  text.append(tree ? R"("allow":["a","b.**"],)" : R"("allow":["a","b*"],)").append(R"("accounts":[{"member":"k"}]}]})");
  return Recipe::parse(text).value();
}

void check_echo(std::string_view text) {
  // In one piece and byte by byte the answer is the same.
  EchoCheck whole(as_bytes(kNumber)), parts(as_bytes(kNumber));
  whole.feed(as_bytes(text));
  for (const char& c : text) parts.feed(as_bytes({&c, 1}));
  if (whole.found() && !parts.found()) std::abort();
  if (text.find(kNumber) != text.npos && !whole.found()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array<Recipe, 4> recipes = {recipe_for(0), recipe_for(1), recipe_for(2), recipe_for(3)};
  static const injector::Aliases aliases{"4242421234567897", "05", "2031", "987"};
  static const std::vector<std::string> accounts{"pk"};
  if (size == 0) return 0;
  const std::size_t form = data[0] & 3;
  const std::string_view body = as_text(ByteView(data, size).subspan(1));
  check_echo(body);

  Request request;
  request.method = "POST";
  request.url = "https://pay.example/x";
  request.headers = {{"content-type", kTypes[form]}};
  request.body = body;
  request.body_whole = true;
  request.relation = Relation::filled;
  const Match match = wire::match(recipes[form], Expected{aliases, accounts, false, "HOLDER"}, request);
  if (!match) return 0;

  const auto view = [](std::string_view text) { return as_bytes(text); };
  const Values values{view(kNumber), view("12"), view("2029"), view("456"), view("J \"\\&=\xc3\xa9")};
  if (!fits(*match.plan, values)) std::abort();
  std::string out;
  render(*match.plan, values, [&out](std::uint8_t c) { out.push_back(static_cast<char>(c)); });
  if (out.size() != rendered_size(*match.plan, values) || holds_number(out, as_bytes(aliases.number))) std::abort();
  if (match.plan->holds(Place::number) != holds_number(out, as_bytes(kNumber))) {
    // The page may have written the digits of this well-known number itself.
    if (!holds_number(body, as_bytes(kNumber))) std::abort();
  }
  const Body again = form == 0 ? parse_form(out) : form == 3 ? parse_multipart(out, "b") : parse_json(out);
  if (again.fault != BodyFault::none) std::abort();
  const Node* number = again.root.find("n");
  if (number != nullptr) {
    std::string digits = number->text;
    digits.erase(std::remove_if(digits.begin(), digits.end(), [](char c) { return c == ' ' || c == '-'; }), digits.end());
    if (digits != kNumber) std::abort();
  }
  return 0;
}
