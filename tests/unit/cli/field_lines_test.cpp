#include "cli/field_lines.hpp"

#include <gtest/gtest.h>

namespace popvault::cli {
namespace {

Result<SecretFields> parse(std::string_view text) {
  return parse_field_lines(SecretBytes::copy_of(as_bytes(text)), fields_of("card"));
}

std::string value(const SecretFields& fields, std::string_view name) {
  const auto found = fields.find(name, SecretAccess{});
  return found ? std::string(as_text(*found)) : "(none)";
}

TEST(FieldLines, Parses) {
  const auto fields = parse("number=4242424242424242\r\n\nexp_month=12\nexp_year=2030\ncvv=\nholder=A = B ");
  ASSERT_TRUE(fields) << fields.error().message();
  EXPECT_EQ(value(*fields, "number"), "4242424242424242");
  EXPECT_EQ(value(*fields, "exp_year"), "2030");
  EXPECT_EQ(value(*fields, "cvv"), "");
  EXPECT_EQ(value(*fields, "holder"), "A = B ");
  EXPECT_TRUE(check_required(*fields, fields_of("card")));
}

TEST(FieldLines, NamesWhatIsWrongAndNeverAValue) {
  const std::pair<const char*, const char*> rows[] = {
      {"number=1\npin=9999", "pin is not a field of this kind"},
      {"number=1\nnumber=2", "number is there twice"},
      {"number=1\n4242424242424242", "line 2 of the fields is not name=value"},
      {"4242424242424242=x", "line 1 of the fields has no known name before ="},
      {"=x", "line 1 of the fields has no known name before ="},
  };
  for (const auto& row : rows) {
    const auto fields = parse(row.first);
    ASSERT_FALSE(fields) << row.first;
    EXPECT_EQ(fields.error().code, Errc::invalid_field);
    EXPECT_EQ(fields.error().detail, row.second);
  }
}

TEST(FieldLines, Required) {
  EXPECT_EQ(check_required(*parse("number=1"), fields_of("card")).error().detail, "exp_month is missing");
  EXPECT_EQ(check_required(*parse("number="), fields_of("card")).error().detail, "number is missing");
  EXPECT_EQ(check_required(*parse(""), fields_of("card")).error().detail, "number is missing");
  EXPECT_TRUE(fields_of("boat").empty());
}

}  // namespace
}  // namespace popvault::cli
