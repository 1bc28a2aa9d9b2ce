#!/usr/bin/env bash
# The launcher's tests under control groups of version 2: `cgroups_v2.sh [EXPRESSION]`, as of pytest's -k.
# For machines that have version 1, or limit nothing. Boots Debian's kernel in QEMU without acceleration (about two minutes in
# all, 6 GB of memory), with this checkout, its .venv, some swap, and nothing to write to but memory. Installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v apt-get >/dev/null && [ "$(uname -m)" = x86_64 ] || { echo "This needs Debian or Ubuntu on x86-64." >&2; exit 1; }
chosen=${1:-frozen or freez or memory or fork or killed or runs_to or sandboxed}
here=$PWD work=$PWD/.cache/cgroups-v2 parts=$PWD/.cache/cgroups-v2/parts guest=$PWD/.cache/cgroups-v2/guest
base=$(.venv/bin/python -c 'import sys; print(sys.base_prefix)') lib=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
system=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')

if [ ! -e "$work/parts.done" ]; then
  echo "Fetching QEMU and a kernel …" >&2
  rm -rf "$parts"; mkdir -p "$parts/debs"
  kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  qemu=$(apt-get install -s --no-install-recommends --reinstall qemu-system-x86 | awk '/^Inst/ {print $2}')
  (cd "$parts/debs" && apt-get download -qq $qemu libfuse3-3 busybox-static "$kernel" 2>/dev/null)
  for package in "$parts"/debs/*.deb; do dpkg -x "$package" "$parts"; done
  rm -r "$parts/debs"; touch "$work/parts.done"
fi

copy() { mkdir -p "$guest$(dirname "$1")"; cp -a "$1" "$guest$1"; }
# Each program's libraries, where the program looks for them.
libraries() { for file in "$@"; do ldd "$file" 2>/dev/null || true; done | grep -oE '/[^ ]+' | grep -v "^$site" | sort -u; }

echo "Making the guest …" >&2
rm -rf "$guest"; mkdir -p "$guest"/{proc,sys,dev,tmp,run,bin,root,new,etc,modules,usr/bin}; chmod 1777 "$guest/tmp"
for folder in bin lib lib64 sbin; do [ ! -L "/$folder" ] || { rm -rf "${guest:?}/$folder"; mkdir -p "$guest/usr/$folder"; ln -s "usr/$folder" "$guest/$folder"; }; done
for path in "$base/bin/python3" "$(readlink -f "$base/bin/python3")" "$lib" /usr/bin/python3 "$(readlink -f /usr/bin/python3)" "$system"; do [ -e "$guest$path" ] || copy "$path"; done
for path in .venv/bin .venv/pyvenv.cfg src tests pyproject.toml; do copy "$here/$path"; done
copy "$site"
rm -rf "$guest$site"/{envoy,playwright,mypy,mypyc,pip} "$guest$lib"/{test,idlelib,tkinter,config-*} "$guest$system"/{test,config-*}
[ "$lib" = "${site%/site-packages}" ] || rm -rf "$guest$lib/site-packages"
find "$guest" -name __pycache__ -prune -exec rm -rf {} +
for program in bwrap setpriv prlimit; do copy "$(command -v $program)"; done
libraries "$base/bin/python3" /usr/bin/{python3,bwrap,setpriv,prlimit} "$lib"/lib-dynload/*.so "$system"/lib-dynload/*.so $(find "$site" -name '*.so') |
  while read -r library; do mkdir -p "$guest$(dirname "$library")"; [ -e "$guest$library" ] || cp -L "$library" "$guest$library"; done
cp "$parts/bin/busybox" "$guest/bin/busybox"
find "$parts/lib/modules" \( -name 'lzo*.ko' -o -name zsmalloc.ko -o -name zram.ko \) -exec cp {} "$guest/modules/" \;
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$guest/etc/passwd"
cat >"$guest/init" <<EOF
#!/bin/busybox sh
b=/bin/busybox
if [ "\$1" != second ]; then # what the kernel unpacked can't be the root of a sandbox; what is mounted can
  \$b mount -t tmpfs -o size=3000m,mode=755 tmpfs /new
  for path in /*; do case \$path in /new|/proc|/sys|/dev|/run) ;; *) \$b cp -a \$path /new/;; esac; done
  \$b mkdir -p /new/proc /new/sys /new/dev /new/run
  exec \$b switch_root /new /init second
fi
\$b mount -t proc proc /proc; \$b mount -t sysfs sys /sys; \$b mount -t devtmpfs dev /dev
\$b mkdir -p /dev/shm /dev/pts; \$b mount -t tmpfs shm /dev/shm; \$b mount -t devpts pts /dev/pts
\$b mount -t cgroup2 none /sys/fs/cgroup; \$b --install -s /usr/bin; \$b ip link set lo up
for module in lzo-rle lzo zsmalloc zram; do \$b insmod /modules/\$module.ko; done
echo 300M >/sys/block/zram0/disksize; \$b mkswap /dev/zram0 >/dev/null; \$b swapon /dev/zram0
export PATH=/usr/bin:/bin HOME=/root PYTHONDONTWRITEBYTECODE=1 TERM=dumb
cd $here && .venv/bin/python -m pytest tests/conformance/launchers/test_local.py -p no:cacheprovider -q -rs -k "TestLocal and ($chosen)" --timeout 120 && echo "control groups v2: passed"
\$b poweroff -f
EOF
chmod 755 "$guest/init"
(cd "$guest" && find . | "$parts/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1 >"$work/guest.gz")
rm -rf "$guest"

echo "Starting it …" >&2
LD_LIBRARY_PATH="$parts/usr/lib/x86_64-linux-gnu:$parts/lib/x86_64-linux-gnu" timeout 900 "$parts/usr/bin/qemu-system-x86_64" \
  -L "$parts/usr/share/qemu" -L "$parts/usr/share/seabios" -accel tcg -cpu max -m 6144 -nographic -no-reboot -net none \
  -kernel "$parts"/boot/vmlinuz-* -initrd "$work/guest.gz" -append "console=ttyS0 quiet panic=1 rdinit=/init" </dev/null | tee "$work/log"
grep -q "control groups v2: passed" "$work/log"
