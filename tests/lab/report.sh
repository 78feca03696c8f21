#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Claim: report says which domains are safe and why others are not, as text, as JSON and
# as a page that is well formed, needs no network, and shows hostile names as they are.
. "$(dirname "$0")/lib.sh"

hostile='a<b&"c'
make_domain guest vda:qcow2:64M
make_domain "$hostile" vda:qcow2:16M
make_domain never vda:qcow2:16M
for n in 1 2; do
  guest_write guest vda 0x1$n ${n}M 1M
  keep --store "$store" --json backup guest
  exits 0 "backup $n"
done
newest=$(json .point)
keep --store "$store" --json backup "$hostile"
exits 0 "a backup of a domain with a hostile name"

# of DOMAIN MEMBER: what the last report says.
of ()
{
  local i
  for ((i = 0; i < $(json .domains.length); i++)); do
    if [ "$(json ".domains[$i].domain.name")" = "$1" ]; then
      json ".domains[$i].$2"
      return
    fi
  done
}

page=$lab/report.html
keep --store "$store" --json report --html "$page"
exits 0 "there is a report"
is "$(json .unsafe)" 1 "one domain is not safe"
is "$(of never safe) $(of never problems)" 'false ["there is no restore point"]' "the one that was never backed up"
is "$(of guest safe) $(of guest points) $(of guest chain) $(of guest damaged) $(of guest newest)" "true 2 2 0 $newest" "another is"
is "$(of guest verdict) $(of guest proven)" "(none) null" "and was never proven"
holds "its age is that of its newest point" test "$(of guest age_seconds)" -lt 3600

cp "$page" "$lab/first.html"
is "$(grep -c '<rect class="protected" x="[0-9.]*%"' "$page")" 0 "no point is protected"
keep --store "$store" protect "$newest"
keep --store "$store" note "$newest" "for <later>"
keep --store "$store" report --max-age 0h --html "$page"
exits 0 "a report replaces an earlier one"
like "$(cat "$out")" "3 of 3 domains are not safe" "everything is too old for an age of nothing"
holds "which the page says too" grep -qF "3 of 3 domains are not safe" "$page"
is "$(grep -o '<rect class="protected" x="[0-9.]*%"' "$page" | wc -l)" 1 "a protected point has its mark"
holds "and is called so, with its note" grep -qF '<td>protected; for &lt;later&gt;</td>' "$page"
is "$(find "$lab" -name '*report.html*' | wc -l)" 1 "and nothing is left beside it"
is "$(stat -c %a "$page")" 644 "others may read it"

holds "the page shows a hostile name as it is" grep -qF '<h2>a&lt;b&amp;"c</h2>' "$lab/first.html"
is "$(grep -ciE '(src|href)=|url\(|@import|<script' "$lab/first.html")" 0 "it asks for nothing from anywhere"
is "$(grep -o '<section class="[a-z]*"' "$lab/first.html" | cut -d'"' -f2 | xargs)" "bad good good" "what is not safe comes first"
is "$(grep -oE '<rect class="(full|part)" x="[0-9.]*%"' "$lab/first.html" | grep -oE 'full|part' | sort | xargs)" "full full part" "each point is a mark"
is "$(grep -o 'role="img"[^>]*aria-label="[^"]*restore point' "$lab/first.html" | wc -l)" 2 "each drawing has words for those who do not see it"
if command -v xmllint >/dev/null; then
  is "$(xmllint --html --noout "$lab/first.html" 2>&1 | grep ' error ' | grep -vE 'Tag (main|section|details|summary|svg|rect|line|path|circle|g|text|title) invalid')" "" "its structure is sound"
  is "$(xmllint --html --xpath 'string(//section[1]/div/h2)' "$lab/first.html" 2>/dev/null)" never "and can be read back"
else
  skip "its structure is sound" "no xmllint"
  skip "and can be read back" "no xmllint"
fi

cp "$(point_dir "$newest")/annotations.json" "$lab/annotations" 2>/dev/null
printf '{"format":"virt-keep annotations","version":1,"verdict":true}' >"$(point_dir "$newest")/annotations.json"
keep --store "$store" --json report
is "$(of guest safe) $(of guest problems)" 'false ["whether 1 restore point is protected or proven cannot be read"]' "annotations that cannot be read are a problem"
mv "$lab/annotations" "$(point_dir "$newest")/annotations.json" 2>/dev/null || rm "$(point_dir "$newest")/annotations.json"

dd if=/dev/zero of="$(point_dir "$newest")/manifest.json" bs=1 seek=40 count=1 conv=notrunc 2>/dev/null
keep --store "$store" --json report --html "$page"
is "$(of guest safe) $(of guest problems)" 'false ["1 restore point is damaged"]' "a damaged point is said"
is "$(grep -o '<svg class="damaged" x="[0-9.]*%"' "$page" | wc -l)" 1 "and has its mark, although its manifest cannot be read"
holds "and is not what the domain is safe with" test "$(of guest newest)" != "$newest"
keep --store "$store" --json backup guest
later=$(json .point) # the others that follow may have points of the same second
keep --store "$store" report --html "$page"
is "$(grep -oE "<td>[0-9]{8}T[0-9]{6}Z</td>" "$page" | grep -oE "${later#*@}|${newest#*@}" | uniq | xargs)" "${later#*@} ${newest#*@}" "and has its place among the others"

keep --store "$store" -c qemu+unix:///system?socket=/nowhere --json report
exits 0 "without libvirt there is a report"
like "$(json .note)" "libvirt cannot be asked" "which says what it does not show"
is "$(of never safe)" "" "namely domains without restore points"

keep --store "$store" report --html "$lab/nowhere/report.html"
exits 9 "a page that cannot be written is a failure"
keep --store "$store" report --max-age soon
exits 2 "an age that is none is refused"
keep --store "$lab/nostore" report
exits 3 "so is a store that is not there"

done_testing
