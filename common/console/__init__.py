"""The web console at `/console`: pages for people, made of what the API tells everybody.

A page is a shell that this package renders once (`pages`, `render`): navigation, headings, places for data. Its ES
module in `static/js` fills it by `fetch` from the public routes, so what the console can do, curl can. There is no
framework and no build step; nothing is asked of another origin, and no script or style stands in the HTML (`policy`).

To add a page
-------------
1. A line in `pages.PAGES`: path, template, title, script; `nav` and `icon` where it stands in the navigation.
2. A template that extends `base.html` and fills the block `content` (and `actions`, at the right of the heading).
   Give every place that a script fills an `id`, and a skeleton (`ui.skeleton(rows)`) for the time until then.
3. A module `static/js/<page>/…`: it imports what it needs of `static/js` by relative paths (`../api.js`). All files
   have the same digest in their addresses, so relative imports are cached for ever and are never stale.
   Styles of its own in `static/css/<page>.css`, named in the page's `styles`.
4. A line `GET <path>: PUBLIC` in `common.security.rules.OWN`: shells hold nothing secret, data is asked for by scope.
   Elements with `data-scope="admin"` (or `train`, `submit`, `predict`) are hidden from callers without that scope.
5. A row in `docs/console.md`, and a browser test in `tests/console` with the fixtures of its `conftest`.

What there is to build of
-------------------------
`js/dom.js` elements and icons, `js/api.js` fetch with readable errors, `js/poll.js` asking again, `js/format.js`
numbers, sizes and times, `js/table.js` tables that keep their rows, `js/toast.js`, `js/dialog.js`, `js/tabs.js`,
`js/blocks.js` badges, progress bars, empty and error states, code blocks with a copy button, `js/sparkline.js`,
`js/chart.js` charts and the map of the world, `js/metrics.js` the figures of `/metrics`, `js/caller.js` who calls and
what they may do. `css/tokens.css` has all colours, sizes and distances; headings in `css/components/` show
which classes there are.
"""
