# make report: everything of a run on one page, as a browser sees it.
load tiny

setup_file() {
    tiny_images
    tiny_make search RUN=one >/dev/null 2>&1
    tiny_make report RUN=one >/dev/null 2>"$BATS_FILE_TMPDIR/one.err"
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    command -v gnuplot >/dev/null || skip "no gnuplot"
    results=$BATS_FILE_TMPDIR/results
    page=$results/one/report.html
}

browse() { # browse OPTION... URL: chromium without a screen, whose profile is of this test
    chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
        --allow-file-access-from-files --user-data-dir="$BATS_TEST_TMPDIR/profile" \
        --virtual-time-budget=3000 "$@"
}

need_chromium() { command -v chromium >/dev/null || skip "no chromium"; }

# look PAGE: what is wrong with it on a screen 375 pixels wide, a line each, then "looked".
# The page is shown in a frame of that width, which a window of Chromium cannot have.
look() {
    cp "$1" "$BATS_TEST_TMPDIR/page.html"
    cat >"$BATS_TEST_TMPDIR/frame.html" <<'HTML'
<!DOCTYPE html><meta charset="utf-8">
<iframe id="frame" src="page.html" style="width: 375px; height: 800px; border: 0"></iframe>
<pre id="said"></pre>
<script>
frame.onload = () => {
    const page = frame.contentDocument, lines = [];
    const width = page.documentElement.scrollWidth;
    if (width > 375)
        lines.push("problem: " + width + " pixels wide");
    for (const entry of frame.contentWindow.performance.getEntriesByType("resource"))
        lines.push("problem: asks for " + entry.name);
    const ids = [...page.querySelectorAll("[id]")].map(e => e.id);
    for (const id of ids.filter((id, i) => ids.indexOf(id) !== i))
        lines.push("problem: two parts are called " + id);
    for (const svg of page.querySelectorAll("svg"))
        if (svg.getBoundingClientRect().width < 200)
            lines.push("problem: a picture is " + svg.getBoundingClientRect().width + " pixels wide");
    lines.push("looked: " + page.querySelectorAll("svg").length + " pictures, " +
        page.querySelectorAll("table").length + " tables");
    said.textContent = lines.join("\n");
};
</script>
HTML
    browse --enable-logging=stderr --dump-dom "file://$BATS_TEST_TMPDIR/frame.html" \
        >"$BATS_TEST_TMPDIR/dom" 2>"$BATS_TEST_TMPDIR/log"
    sed -n 's/^.*CONSOLE[^"]*/problem: console: /p' "$BATS_TEST_TMPDIR/log"
    sed -n 's/^\(<pre id="said">\)\{0,1\}\(problem: .*\)/\2/p; s/.*\(looked: [^<]*\).*/\1/p' \
        "$BATS_TEST_TMPDIR/dom" | grep -v 'looked: "'
}

@test "on a phone nothing overflows, nothing is asked for, nothing complains" {
    need_chromium
    run look "$page"
    echo "$output"
    [ "$output" = "looked: 5 pictures, 6 tables" ]
}

@test "the look at a page finds what is wrong with one" {
    need_chromium
    cat >"$BATS_TEST_TMPDIR/wrong.html" <<'HTML'
<!DOCTYPE html><meta charset="utf-8"><body>
<div id="a" style="width: 500px">wide</div><p id="a">again</p>
<img src="http://127.0.0.1:9/picture.png">
<script>undefined_function();</script>
HTML
    run look "$BATS_TEST_TMPDIR/wrong.html"
    echo "$output"
    [[ $output == *"pixels wide"* ]]
    [[ $output == *"asks for http://127.0.0.1:9/picture.png"* ]]
    [[ $output == *"two parts are called a"* ]]
    [[ $output == *"console: "*"undefined_function"* ]]
}

@test "it prints" {
    need_chromium
    browse --print-to-pdf="$BATS_TEST_TMPDIR/page.pdf" "file://$page" 2>/dev/null
    head -c 5 "$BATS_TEST_TMPDIR/page.pdf" | grep -q '%PDF-'
    tail -c 10 "$BATS_TEST_TMPDIR/page.pdf" | grep -q '%%EOF'
}

@test "the page is one file: it names no other, and no place on the network" {
    run grep -nE '(src|href)="?(https?:)?//|@import|url\((https?:)?//|<script|<iframe' "$page"
    [ "$status" = 1 ]
    run grep -oE '(src|href)="[^"#][^"]*"' "$page"
    [ "$output" = 'href="data:,"' ]
}

@test "it says what the search found, and what was not tested" {
    accuracy=$("$BUILD"/search --show="$results/one/search.h5" | awk '/^validation accuracy/ { print $6 }')
    grep -q "^<li class=\"says\">Of [0-9]* paths that the search judged, the best has $accuracy % ([0-9. to]*) of 80 validation images right" "$page"
    grep -q '^<li class="limit">.*nothing was tested on test images (make evaluate NET=found)' "$page"
    grep -q '^<li class="limit">Everything here is of one seed (' "$page"
}

@test "it has the digest and the settings of every artifact" {
    for stage in warmup greedy search; do
        short=$(digest "$results/one/$stage.h5" | sed 's/sha256://; s/^\(.\{12\}\).*/\1/')
        grep -q "^<tr><td>$stage.h5</td><td>$short</td>" "$page"
        grep -q "^<details><summary>$stage</summary>" "$page"
    done
    grep -q '^  pool_size: 20$' "$page"
}

@test "an artifact made from another version of its input is told of" {
    [ -z "$(grep 'was made from another' "$page")" ]
    copy_run one mixed
    tiny_make greedy RUN=mixed SET=greedy.kept_paths=2
    tiny_make report RUN=mixed
    grep -q '^<li class="limit">search.h5 was made from another greedy.h5' "$results/mixed/report.html"
}

@test "made twice it is the same, byte for byte" {
    cp "$page" "$BATS_TEST_TMPDIR/first.html"
    tiny_make report RUN=one
    cmp "$page" "$BATS_TEST_TMPDIR/first.html"
}
