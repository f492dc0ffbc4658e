# Flags of every target. tests/process/test_binaries.py reads the finished programs and fails when one of
# these did not take effect.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
                    -Woverloaded-virtual -Wnull-dereference)
if(POPVAULT_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these in libstdc++ itself once it optimises (std::string, std::variant).
  add_compile_options(-Wno-restrict -Wno-null-dereference -Wno-maybe-uninitialized)
endif()
add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-fcf-protection=full)
endif()
add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(POPVAULT_SANITIZE)
  add_compile_options(-fsanitize=${POPVAULT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${POPVAULT_SANITIZE})
  add_compile_definitions(POPVAULT_SANITIZED)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
