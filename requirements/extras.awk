# Locks beside each package with extras the package itself: pip, when it requires hashes, takes them for two.
function end_block() { if (plain) { printf "%s%s", plain, block; plain = block = "" } }
/^[^ ]/ { end_block() }
/^[^ ]+\[[^]]*\]/ { wanted = $0; sub(/\[[^]]*\]/, "", wanted); plain = wanted "\n"; block = $0 "\n"; next }
plain { plain = plain $0 "\n"; block = block $0 "\n"; next }
{ print }
END { end_block() }
