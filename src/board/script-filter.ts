/** The part of the script in the browser that shows the rows which are asked for: by words and by verdict. */
export const FILTER_SCRIPT = `  const box = $('#filter');
  const checked = () => $$('input:checked', summary).map((one) => one.value);
  const filtering = () => box.value.trim() !== '' || checked().length > 0;
  // The address has the filter, for whoever is sent it, and for this page when it is loaded again.
  const keepFilter = () => {
    const url = new URL(location.href);
    url.searchParams.delete('verdict');
    if (box.value.trim() === '') url.searchParams.delete('q');
    else url.searchParams.set('q', box.value.trim());
    for (const verdict of checked()) url.searchParams.append('verdict', verdict);
    history.replaceState(null, '', url);
  };
  const takeFilter = () => {
    const { searchParams } = new URL(location.href);
    box.value = searchParams.get('q') ?? box.value;
    const verdicts = searchParams.getAll('verdict');
    for (const one of $$('input', summary)) one.checked = verdicts.includes(one.value);
  };
  const filter = () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    const verdicts = checked();
    let shown = 0;
    for (const row of rows.values()) {
      const fits =
        (verdicts.length === 0 || verdicts.includes(row.dataset.verdict)) &&
        words.every((word) => row.dataset.find.includes(word));
      row.hidden = !fits;
      if (fits) shown++;
    }
    for (const tier of $$('.tier')) tier.hidden = !$('.row:not([hidden])', tier);
    $('#no-match').hidden = shown > 0;
  };
  document.addEventListener('input', (event) => {
    if (!event.target.matches('#filter, input[name=verdict]')) return;
    filter();
    keepFilter();
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.matches('input,textarea,select');
    if (event.key === '/' && !typing && box) {
      event.preventDefault();
      box.focus();
    }
    if (event.key === 'Escape' && event.target.id === 'filter') {
      event.target.value = '';
      filter();
      keepFilter();
    }
  });`;
