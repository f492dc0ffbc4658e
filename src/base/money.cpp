#include "base/money.hpp"

#include <algorithm>

namespace popvault {
namespace {

// ISO 4217 (2024 list of active codes), grouped by the number of minor digits.
constexpr std::string_view kTwo =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG";
constexpr std::string_view kZero = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
constexpr std::string_view kThree = "BHD IQD JOD KWD LYD OMR TND";
constexpr std::string_view kFour = "CLF UYW";  // units of account

bool listed(std::string_view list, std::string_view code) {
  for (std::size_t at = 0; at < list.size(); at += 4)
    if (list.substr(at, 3) == code) return true;
  return false;
}

bool digits(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<Currency> Currency::parse(std::string_view code) {
  Currency out;
  out.code_ = std::string(code);
  if (code.size() == 3 && listed(kTwo, code)) return out;
  out.exponent_ = 0;
  if (code.size() == 3 && listed(kZero, code)) return out;
  out.exponent_ = 3;
  if (code.size() == 3 && listed(kThree, code)) return out;
  out.exponent_ = 4;
  if (code.size() == 3 && listed(kFour, code)) return out;
  return fail(Errc::invalid_field, "currency is not an ISO 4217 code such as USD");
}

Result<std::int64_t> parse_amount(std::string_view decimal, const Currency& currency) {
  const auto wrong = [&] {
    return fail(Errc::invalid_field, "an amount looks like " + format_amount(5000, currency));
  };
  const std::size_t point = decimal.find('.');
  const std::string_view whole = decimal.substr(0, point);
  const std::string_view part = point == decimal.npos ? std::string_view{} : decimal.substr(point + 1);
  const std::size_t exponent = static_cast<std::size_t>(currency.exponent());
  if (whole.empty() || whole.size() > 13 || !digits(whole) || !digits(part)) return wrong();
  if (part.size() > exponent || (point != decimal.npos && part.empty())) return wrong();
  std::int64_t value = 0;
  for (const char c : whole) value = value * 10 + (c - '0');
  for (std::size_t i = 0; i < exponent; ++i) value = value * 10 + (i < part.size() ? part[i] - '0' : 0);
  if (value > kMaxMinor) return wrong();
  return value;
}

std::string format_amount(std::int64_t minor, const Currency& currency) {
  const auto magnitude = static_cast<std::uint64_t>(minor);  // unsigned: the least number has no positive twin
  std::string text = std::to_string(minor < 0 ? 0 - magnitude : magnitude);
  const std::size_t exponent = static_cast<std::size_t>(currency.exponent());
  if (exponent > 0) {
    if (text.size() <= exponent) text.insert(0, exponent + 1 - text.size(), '0');
    text.insert(text.size() - exponent, ".");
  }
  return (minor < 0 ? "-" : "") + text + " " + currency.code();
}

}  // namespace popvault
