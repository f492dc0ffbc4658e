#include "wire/match.hpp"

#include <algorithm>

#include "wire/accounts.hpp"
#include "wire/body.hpp"
#include "wire/echo.hpp"
#include "wire/graphql.hpp"
#include "wire/headers.hpp"
#include "wire/places.hpp"
#include "wire/url.hpp"

namespace popvault::wire {
namespace {

constexpr std::string_view kWords[kMismatchCount] = {
    "mode", "frame", "method", "url_form", "url_scheme", "url_origin", "url_path", "url_query", "alias_in_url",
    "header_form", "alias_in_header", "content_encoding", "content_type", "charset", "body_incomplete",
    "body_too_large", "body_form", "duplicate_member", "unlisted_member", "value_not_allowed", "graphql_document",
    "no_place", "number_value", "exp_value", "cvc_value", "alias_elsewhere", "account_missing", "account_mismatch"};

using Fault = std::optional<Mismatch>;

bool frame_fits(const Recipe& recipe, const Request& request) {
  return std::any_of(recipe.frames.begin(), recipe.frames.end(), [&](const FrameRule& frame) {
    if (frame.relation != request.relation || frame.relation == Relation::other) return false;
    if (frame.relation == Relation::filled) return true;
    const auto url = parse_url(request.frame_url);
    return url && std::any_of(frame.urls.begin(), frame.urls.end(), [&](const UrlPattern& each) {
      return each.origin == url->origin && each.path.matches(url->path);
    });
  });
}

bool origin_fits(const RequestRule& rule, const Url& url) {
  return std::find(rule.origins.begin(), rule.origins.end(), url.origin) != rule.origins.end();
}

// One rule against one request; each step is a line of DESIGN's list and gives the mismatch that it found.
class Judge {
 public:
  Judge(const RequestRule& rule, const Expected& expected, const Request& request)
      : rule_(rule), expected_(expected), request_(request), headers_(request) {}

  Fault run(Plan& plan) {
    if (request_.method != rule_.method) return Mismatch::method;
    for (const auto step : {&Judge::check_url, &Judge::check_headers, &Judge::check_type, &Judge::read_body,
                            &Judge::check_members}) {
      if (const Fault fault = (this->*step)()) return fault;
    }
    plan.pieces = write();
    if (const Fault fault = check_rest(plan)) return fault;
    return find_account(rule_, *url_, query_, headers_, body_.root, expected_.accounts, plan.account);
  }

 private:
  Fault check_url() {
    url_ = parse_url(request_.url);
    if (!url_ || url_->fragment) return Mismatch::url_form;
    const bool loopback = expected_.allow_loopback_http && url_->origin.loopback();
    if (!url_->origin.https() && !loopback) return Mismatch::url_scheme;
    if (!origin_fits(rule_, *url_)) return Mismatch::url_origin;
    if (!rule_.path.matches(url_->path)) return Mismatch::url_path;
    auto query = parse_pairs(url_->query.value_or(std::string_view{}), false);
    if (!query || !query_fits(rule_, *query)) return Mismatch::url_query;
    query_ = std::move(*query);
    if (holds_number(request_.url, number())) return Mismatch::alias_in_url;
    return std::nullopt;
  }

  Fault check_headers() {
    if (!headers_.well_formed(rule_)) return Mismatch::header_form;
    for (const auto& [name, value] : request_.headers)
      if (holds_number(name, number()) || holds_number(value, number())) return Mismatch::alias_in_header;
    if (headers_.find("content-encoding") != nullptr) return Mismatch::content_encoding;
    return std::nullopt;
  }

  Fault check_type() {
    const std::string_view* given = headers_.find("content-type");
    if (given == nullptr) return Mismatch::content_type;
    const auto type = parse_content_type(*given, rule_.form == BodyForm::multipart);
    if (!type || std::find(rule_.types.begin(), rule_.types.end(), type->media) == rule_.types.end())
      return Mismatch::content_type;
    if (!type->charset.empty() && type->charset != "utf-8") return Mismatch::charset;
    boundary_ = type->boundary;
    return std::nullopt;
  }

  Fault read_body() {
    if (!request_.body_whole) return Mismatch::body_incomplete;
    if (request_.body.size() > kMaxBody) return Mismatch::body_too_large;
    switch (rule_.form) {
      case BodyForm::form: body_ = parse_form(request_.body); break;
      case BodyForm::multipart: body_ = parse_multipart(request_.body, boundary_); break;
      default: body_ = parse_json(request_.body);
    }
    if (body_.fault == BodyFault::duplicate) return Mismatch::duplicate_member;
    if (body_.fault == BodyFault::form || body_.root.kind != Node::Kind::object) return Mismatch::body_form;
    return std::nullopt;
  }

  Fault check_members() {
    if (const Fault fault = place_members(rule_, expected_, body_.root)) return fault;
    if (rule_.form != BodyForm::graphql) return std::nullopt;
    const Node* query = body_.root.find("query");
    const bool fits = query != nullptr && query->kind == Node::Kind::string && graphql_fits(rule_, query->text);
    return fits ? std::nullopt : Fault(Mismatch::graphql_document);
  }

  std::vector<Piece> write() const {
    switch (rule_.form) {
      case BodyForm::form: return write_form(body_.root);
      case BodyForm::multipart: return write_multipart(body_.root, boundary_);
      default: return write_json(body_.root);
    }
  }

  Fault check_rest(const Plan& plan) const {
    if (std::all_of(plan.pieces.begin(), plan.pieces.end(),
                    [](const Piece& piece) { return std::holds_alternative<std::string>(piece); }))
      return Mismatch::no_place;
    for (const Piece& piece : plan.pieces) {
      const std::string* plain = std::get_if<std::string>(&piece);
      if (plain != nullptr && holds_number(*plain, number())) return Mismatch::alias_elsewhere;
    }
    return std::nullopt;
  }

  ByteView number() const { return as_bytes(expected_.aliases.number); }

  const RequestRule& rule_;
  const Expected& expected_;
  const Request& request_;
  Headers headers_;
  std::optional<Url> url_;
  std::vector<std::pair<std::string, std::string>> query_;
  std::string boundary_;
  Body body_;
};

bool carries(const Request& request, ByteView number) {
  if (holds_number(request.url, number) || holds_number(request.body, number)) return true;
  return std::any_of(request.headers.begin(), request.headers.end(), [&](const auto& header) {
    return holds_number(header.first, number) || holds_number(header.second, number);
  });
}

}  // namespace

std::string_view to_string(Mismatch mismatch) noexcept { return kWords[static_cast<std::size_t>(mismatch)]; }

injector::Outcome to_outcome(Mismatch mismatch) noexcept {
  return mismatch >= Mismatch::account_missing ? injector::Outcome::account_mismatch : injector::Outcome::recipe_mismatch;
}

bool Plan::holds(Place place) const noexcept {
  return std::any_of(pieces.begin(), pieces.end(), [place](const Piece& piece) {
    const Hole* hole = std::get_if<Hole>(&piece);
    return hole != nullptr && hole->place == place;
  });
}

Match match(const Recipe& recipe, const Expected& expected, const Request& request) {
  Match out;
  out.carries_alias = carries(request, as_bytes(expected.aliases.number));
  if (recipe.mode != Mode::wire) {
    out.mismatch = Mismatch::mode;
    return out;
  }
  out.mismatch = Mismatch::frame;
  if (!frame_fits(recipe, request)) return out;
  for (std::size_t i = 0; i < recipe.requests.size(); ++i) {
    Plan plan;
    plan.rule = i;
    const Fault fault = Judge(recipe.requests[i], expected, request).run(plan);
    if (!fault) {
      out.plan = std::move(plan);
      return out;
    }
    out.mismatch = std::max(out.mismatch, *fault);
  }
  return out;
}

bool concerns(const Recipe& recipe, std::string_view method, std::string_view text) {
  if (method == "OPTIONS") return false;
  const auto url = parse_url(text);
  return url && std::any_of(recipe.requests.begin(), recipe.requests.end(), [&](const RequestRule& rule) {
    return origin_fits(rule, *url) && rule.path.matches(url->path);
  });
}

}  // namespace popvault::wire
