'use strict';
// Some browsers keep nothing for pages that are files; the choice then lasts as long as the page.
const kept = {
  get() { try { return localStorage.getItem('gatecheck-theme') ?? ''; } catch { return ''; } },
  set(theme) { try { localStorage.setItem('gatecheck-theme', theme); } catch { /* see above */ } },
};
const toggle = document.querySelector('#theme');
const themes = { '': 'Auto', light: 'Light', dark: 'Dark' };
function paint(theme) {
  if (theme === '') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  toggle.textContent = themes[theme];
}
let theme = Object.hasOwn(themes, kept.get()) ? kept.get() : '';
paint(theme);
toggle.addEventListener('click', () => {
  const names = Object.keys(themes);
  theme = names[(names.indexOf(theme) + 1) % names.length];
  kept.set(theme);
  paint(theme);
});
