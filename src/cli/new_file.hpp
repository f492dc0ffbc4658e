// A file that somebody else fills through a descriptor, and that has its name only when it is whole.
//
// It is a temporary, 0600, beside its name; keep() syncs it, gives it its name without ever replacing
// anything and syncs the folder. Without that the temporary is removed. One thread at a time.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/descriptor.hpp"

namespace popvault::cli {

// Fails with already_exists when something has this name, a dangling link too.
Status check_free(const std::string& path);

class NewFile {
 public:
  static Result<NewFile> create(const std::string& path);
  ~NewFile();
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  NewFile(const NewFile&) = delete;

  // Open for reading and writing.
  int descriptor() const noexcept { return file_.get(); }
  // Fails with already_exists when something got the name meanwhile.
  Status keep();

 private:
  NewFile(std::string path, std::string temporary, Descriptor file) noexcept
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}
  std::string path_;
  std::string temporary_;  // empty when it is gone
  Descriptor file_;
};

}  // namespace popvault::cli
