// Some servers call a notebook JSON, which browsers show; with this attribute they save it.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll("a.btn-download-source-button")) {
    link.download = "";
  }
});
