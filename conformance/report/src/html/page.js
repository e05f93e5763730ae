const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const chips = all('.chip');
const cases = all('.case');
const search = document.querySelector('#search');
const narrowed = document.querySelector('#narrowed');
const shown = { matrix: '', cases: '', requirement: '' };

function refresh() {
  for (const chip of chips) {
    chip.classList.toggle('off', shown.matrix !== '' && chip.dataset.standing !== shown.matrix);
    chip.setAttribute('aria-current', String(chip.dataset.requirement === shown.requirement));
  }
  const words = search.value.trim().toLowerCase();
  let left = 0;
  for (const one of cases) {
    const requirements = one.dataset.requirements.split(' ');
    const text = one.querySelector('summary').textContent.toLowerCase();
    const fits = (shown.cases === '' || one.dataset.verdict === shown.cases)
      && (shown.requirement === '' || requirements.includes(shown.requirement))
      && text.includes(words);
    one.hidden = !fits;
    left += fits ? 1 : 0;
  }
  document.querySelector('#nothing').hidden = left > 0;
  narrowed.hidden = shown.requirement === '';
}

for (const group of all('[data-filters]')) {
  const buttons = all('button', group);
  for (const button of buttons) {
    button.addEventListener('click', () => {
      shown[group.dataset.filters] = button.dataset.show;
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      refresh();
    });
  }
}
search.addEventListener('input', refresh);

// A requirement that is chosen in the matrix narrows the cases to those that show it.
function narrow(requirement, label) {
  shown.requirement = requirement;
  const back = document.createElement('button');
  back.type = 'button';
  back.textContent = 'Show all cases';
  back.addEventListener('click', () => narrow('', ''));
  const text = document.createElement('span');
  text.textContent = label;
  narrowed.replaceChildren(text, back);
  refresh();
}
for (const chip of chips) {
  chip.addEventListener('click', event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const again = shown.requirement === chip.dataset.requirement;
    narrow(again ? '' : chip.dataset.requirement, chip.getAttribute('aria-label'));
    if (!again) document.querySelector('#cases').scrollIntoView();
  });
}

// Whoever follows a link to a case wants to see it, open, whatever was filtered.
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.matches('.case')) return;
  target.hidden = false;
  target.open = true;
  target.scrollIntoView();
}
addEventListener('hashchange', follow);
follow();

for (const button of all('[data-copy]')) {
  button.addEventListener('click', async () => {
    const command = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(command);
      button.textContent = 'Selected';
    }
  });
}
