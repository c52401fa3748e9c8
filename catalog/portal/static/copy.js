// Puts a button beside each example; without scripts it is copied by hand.
"use strict";
for (const block of document.querySelectorAll("pre[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  const chinese = document.documentElement.lang.startsWith("zh");
  button.type = "button";
  button.className = "copy";
  button.textContent = chinese ? "复制" : "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.innerText.trim());
    button.textContent = chinese ? "已复制" : "Copied";
  });
  block.before(button);
}
