# pv_embed(TARGET FILE VARIABLE): FILE's text as `const char popvault_embedded_VARIABLE[]` in TARGET.
function(pv_embed target file variable)
  file(READ ${file} text)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_${variable}.cpp)
  file(CONFIGURE OUTPUT ${out} CONTENT
       "extern const char popvault_embedded_${variable}[];\nconst char popvault_embedded_${variable}[] = R\"EMBED(${text})EMBED\";\n"
       @ONLY)
  target_sources(${target} PRIVATE ${out})
endfunction()
