#!/bin/sh
# Derives schema.json from the types of @grafana/schema, which entry.ts names. Needs npm; run it to
# move to another version of Grafana, never in the tests.
set -eu

schema=13.2.3
generator=2.4.0

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/entry.ts" "$work"
cd "$work"
cat >tsconfig.json <<'EOF'
{
  "compilerOptions": {
    "module": "esnext", "moduleResolution": "bundler", "skipLibCheck": true, "strict": true,
    "types": [], "baseUrl": ".",
    "paths": {"@grafana/schema/dist/*": ["node_modules/@grafana/schema/dist/*"]}
  },
  "files": ["entry.ts"]
}
EOF
npm install --no-save --no-audit --no-fund --silent \
    "@grafana/schema@$schema" "ts-json-schema-generator@$generator"
npx ts-json-schema-generator --path entry.ts --tsconfig tsconfig.json --type Pack \
    --no-type-check --jsDoc none --out derived.json
python3 -m json.tool --indent 1 --sort-keys --no-ensure-ascii derived.json "$here/schema.json"
cp node_modules/@grafana/schema/LICENSE_APACHE2 "$here"
