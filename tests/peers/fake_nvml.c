/* A stand-in for libnvidia-ml.so.1, for machines without a GPU. No header and no code of the vendor is used:
 * only the C ABI (function names, argument types) as the nvml-wrapper crate's bindings declare it.
 *   cc -shared -fPIC -O1 -Wall -o libnvidia-ml.so.1 fake_nvml.c
 * Values are read at EVERY call, so a test can change them while the program runs, from the file $FAKE_NVML or, without
 * it, from fake_nvml.conf beside the library.
 * Lines "key value", "#" comments; a key may be prefixed by a device "1.temp 90"; defaults below.
 *   devices 2           name NVIDIA FAKE-100     gpu_util 37     mem_util 21      mem_total 85899345920
 *   mem_used 1073741824 temp 61 (C)              power 180000 (mW) power_limit 400000 fan 40 (%)
 *   sm_clock 1410       mem_clock 1593           throttle 0 (bit mask)   procs PID:BYTES,PID:BYTES
 *   ecc 0               driver 550.54.15         delay_ms 0 (every device call takes this long)
 *   fail.FUNCTION CODE  e.g. "fail.nvmlDeviceGetFanSpeed_v2 3" (3 = not supported), "fail.nvmlInit_v2 9" (driver
 *                       not loaded), "1.fail.nvmlDeviceGetTemperature 15" (GPU is lost); "fail.* 15" = everything on devices
 *   delay.FUNCTION MS   that call takes so long; "1.delay.FUNCTION MS" on one device
 *   mem_reserved 0      enc 0  dec 0 (%)    pcie_gen 5  pcie_width 16  pcie_replay 0  pcie_tx 0  pcie_rx 0 (KB/s)
 *   retired_sbe 0  retired_dbe 0  retire_pending 0      remap_cor, remap_unc, remap_pending, remap_failure, mem_temp
 *   mig 0 (1 = on: two instances)        xid NUMBER (told once each time that xid_seq changes)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef unsigned int u32; typedef unsigned long long u64; typedef int ret; typedef struct dev *devt;
enum { OK = 0, UNINIT = 1, INVAL = 2, NOTSUP = 3, NOTFOUND = 6, SMALL = 7 };
static int inits;

static int lookup(int dev, const char *key, char *out, size_t n) { /* 1 = found; device-specific wins, the last line wins */
  const char *file = getenv("FAKE_NVML"); char beside[4096]; Dl_info me;
  if (!file && dladdr((void *)lookup, &me)) {
    char *end; snprintf(beside, sizeof beside - 32, "%s", me.dli_fname);
    if ((end = strrchr(beside, '/'))) { strcpy(end, "/fake_nvml.conf"); file = beside; }
  }
  FILE *f = file ? fopen(file, "r") : NULL; char line[4096], pre[160]; int got = 0;
  if (!f) return 0;
  snprintf(pre, sizeof pre, "%d.%s", dev, key);
  while (fgets(line, sizeof line, f)) {
    char *v = strpbrk(line, " \t\n"); int spec;
    if (line[0] == '#' || !v) continue;
    *v++ = 0; v += strspn(v, " \t"); v[strcspn(v, "\n")] = 0;
    spec = dev >= 0 && !strcmp(line, pre);
    if (!spec && (strcmp(line, key) || got == 2)) continue;
    snprintf(out, n, "%s", v); got = spec ? 2 : 1;
  }
  fclose(f); return got != 0;
}
static u64 num(int dev, const char *key, u64 def) { char b[64]; return lookup(dev, key, b, sizeof b) ? strtoull(b, 0, 0) : def; }
static void str(int dev, const char *key, const char *def, char *out, u32 n) { char b[256]; snprintf(out, n, "%s", lookup(dev, key, b, sizeof b) ? b : def); }
static int ix(devt d) { return (int)((char *)d - (char *)0) - 1; }
static ret enter(int dev, const char *fn) {
  char k[128]; u64 c, ms;
  snprintf(k, sizeof k, "fail.%s", fn);
  if ((c = num(dev, k, 0))) return (ret)c;
  if (dev >= 0) {
    if ((ms = num(dev, "delay_ms", 0))) usleep(ms * 1000);
    snprintf(k, sizeof k, "delay.%s", fn);
    if ((ms = num(dev, k, 0))) usleep(ms * 1000);
    if ((c = num(dev, "fail.*", 0))) return (ret)c;
    if (!inits) return UNINIT;
    if (dev >= (int)num(-1, "devices", 2)) return 15; /* was there, is gone: GPU is lost */
  }
  return OK;
}
#define D(fn, ...) ret fn(devt d, __VA_ARGS__) { ret r = enter(ix(d), #fn); if (r) return r;
#define END return OK; }

ret nvmlInit_v2(void) { ret r = enter(-1, "nvmlInit_v2"); if (!r) inits++; return r; }
ret nvmlInitWithFlags(u32 f) { (void)f; return nvmlInit_v2(); }
ret nvmlShutdown(void) { if (!inits) return UNINIT; inits--; return OK; }
const char *nvmlErrorString(ret r) {
  switch (r) { case OK: return "Success"; case UNINIT: return "Uninitialized"; case INVAL: return "Invalid Argument"; case NOTSUP: return "Not Supported";
    case 4: return "Insufficient Permissions"; case NOTFOUND: return "Not Found"; case SMALL: return "Insufficient Size"; case 9: return "Driver Not Loaded";
    case 10: return "Timeout"; case 15: return "GPU is lost"; case 18: return "Driver/library version mismatch"; default: return "Unknown Error"; } }
ret nvmlSystemGetDriverVersion(char *o, u32 n) { str(-1, "driver", "550.54.15", o, n); return OK; }
ret nvmlSystemGetNVMLVersion(char *o, u32 n) { snprintf(o, n, "12.550.54.15"); return OK; }
ret nvmlSystemGetCudaDriverVersion(int *v) { *v = 12040; return OK; }
ret nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = 12040; return OK; }
ret nvmlSystemGetProcessName(u32 pid, char *o, u32 n) { char p[64]; FILE *f; size_t k; snprintf(p, sizeof p, "/proc/%u/comm", pid);
  if (!(f = fopen(p, "r"))) return NOTFOUND;
  k = fread(o, 1, n - 1, f); fclose(f); o[k] = 0; o[strcspn(o, "\n")] = 0; return OK; }
ret nvmlDeviceGetCount_v2(u32 *n) { ret r = enter(-1, "nvmlDeviceGetCount_v2"); if (r) return r; if (!inits) return UNINIT; *n = (u32)num(-1, "devices", 2); return OK; }
ret nvmlDeviceGetHandleByIndex_v2(u32 i, devt *d) { ret r = enter(-1, "nvmlDeviceGetHandleByIndex_v2"); if (r) return r; if (!inits) return UNINIT;
  if (i >= num(-1, "devices", 2)) return INVAL;
  *d = (devt)((char *)0 + i + 1); return OK; }
D(nvmlDeviceGetIndex, u32 *o) *o = (u32)ix(d); END
D(nvmlDeviceGetMinorNumber, u32 *o) *o = (u32)ix(d); END
D(nvmlDeviceGetName, char *o, u32 n) str(ix(d), "name", "NVIDIA FAKE-100", o, n); END
D(nvmlDeviceGetUUID, char *o, u32 n) snprintf(o, n, "GPU-00000000-fake-0000-0000-%012d", ix(d)); END
D(nvmlDeviceGetSerial, char *o, u32 n) snprintf(o, n, "%013d", ix(d)); END
D(nvmlDeviceGetUtilizationRates, u32 *o) o[0] = (u32)num(ix(d), "gpu_util", 37); o[1] = (u32)num(ix(d), "mem_util", 21); END
struct mem1 { u64 total, free, used; }; struct mem2 { u32 version; u64 total, reserved, free, used; };
D(nvmlDeviceGetMemoryInfo, struct mem1 *m) m->total = num(ix(d), "mem_total", 85899345920ull); m->used = num(ix(d), "mem_used", 1ull << 30); m->free = m->total - m->used; END
D(nvmlDeviceGetMemoryInfo_v2, struct mem2 *m) m->total = num(ix(d), "mem_total", 85899345920ull); m->used = num(ix(d), "mem_used", 1ull << 30);
  m->reserved = num(ix(d), "mem_reserved", 0); m->free = m->total - m->used - m->reserved; END
D(nvmlDeviceGetTemperature, u32 sensor, u32 *o) (void)sensor; *o = (u32)num(ix(d), "temp", 61); END
D(nvmlDeviceGetTemperatureThreshold, u32 kind, u32 *o) *o = kind == 1 ? 83 : 90; END
D(nvmlDeviceGetPowerUsage, u32 *o) *o = (u32)num(ix(d), "power", 180000); END
D(nvmlDeviceGetEnforcedPowerLimit, u32 *o) *o = (u32)num(ix(d), "power_limit", 400000); END
D(nvmlDeviceGetPowerManagementLimit, u32 *o) *o = (u32)num(ix(d), "power_limit", 400000); END
D(nvmlDeviceGetTotalEnergyConsumption, u64 *o) *o = num(ix(d), "energy", 123456789); END
D(nvmlDeviceGetFanSpeed, u32 *o) *o = (u32)num(ix(d), "fan", 40); END
D(nvmlDeviceGetFanSpeed_v2, u32 fan, u32 *o) if (fan > 0) return INVAL; *o = (u32)num(ix(d), "fan", 40); END
D(nvmlDeviceGetNumFans, u32 *o) *o = 1; END
D(nvmlDeviceGetClockInfo, u32 kind, u32 *o) *o = (u32)(kind == 2 ? num(ix(d), "mem_clock", 1593) : num(ix(d), "sm_clock", 1410)); END
D(nvmlDeviceGetMaxClockInfo, u32 kind, u32 *o) *o = kind == 2 ? 1593 : 1980; END
D(nvmlDeviceGetCurrentClocksThrottleReasons, u64 *o) *o = num(ix(d), "throttle", 0); END
D(nvmlDeviceGetCurrentClocksEventReasons, u64 *o) *o = num(ix(d), "throttle", 0); END
D(nvmlDeviceGetPerformanceState, u32 *o) *o = (u32)num(ix(d), "pstate", 0); END
D(nvmlDeviceGetPersistenceMode, u32 *o) *o = 1; END
D(nvmlDeviceGetComputeMode, u32 *o) *o = 0; END
D(nvmlDeviceGetEncoderUtilization, u32 *u, u32 *us) *u = (u32)num(ix(d), "enc", 0); *us = 1000; END
D(nvmlDeviceGetDecoderUtilization, u32 *u, u32 *us) *u = (u32)num(ix(d), "dec", 0); *us = 1000; END
D(nvmlDeviceGetTotalEccErrors, u32 type, u32 counter, u64 *o) (void)type; (void)counter; *o = num(ix(d), "ecc", 0); END
D(nvmlDeviceGetCurrPcieLinkGeneration, u32 *o) *o = (u32)num(ix(d), "pcie_gen", 5); END
D(nvmlDeviceGetMaxPcieLinkGeneration, u32 *o) *o = 5; END
D(nvmlDeviceGetCurrPcieLinkWidth, u32 *o) *o = (u32)num(ix(d), "pcie_width", 16); END
D(nvmlDeviceGetMaxPcieLinkWidth, u32 *o) *o = 16; END
D(nvmlDeviceGetPcieReplayCounter, u32 *o) *o = (u32)num(ix(d), "pcie_replay", 0); END
D(nvmlDeviceGetPcieThroughput, u32 kind, u32 *o) *o = (u32)num(ix(d), kind ? "pcie_rx" : "pcie_tx", 0); END
D(nvmlDeviceGetRetiredPages, u32 cause, u32 *n, u64 *at) u32 room = *n; (void)at; *n = (u32)num(ix(d), cause ? "retired_dbe" : "retired_sbe", 0);
  if (room < *n) return SMALL; END
D(nvmlDeviceGetRetiredPages_v2, u32 cause, u32 *n, u64 *at, u64 *when) u32 k, have = (u32)num(ix(d), cause ? "retired_dbe" : "retired_sbe", 0), room = *n;
  *n = have; if (room < have) return SMALL;
  for (k = 0; at && k < have; k++) { at[k] = k; when[k] = 0; } END
D(nvmlDeviceGetRetiredPagesPendingStatus, u32 *o) *o = (u32)num(ix(d), "retire_pending", 0); END
struct field { u32 id, scope; long long when, took; u32 type; ret r; union { double f; u32 u; u64 l; } v; };
D(nvmlDeviceGetFieldValues, int n, struct field *f) int k;
  for (k = 0; k < n; k++) { static const char *keys[] = { "remap_cor", "remap_unc", "remap_pending", "remap_failure" };
    const char *key = f[k].id == 82 ? "mem_temp" : f[k].id >= 142 && f[k].id <= 145 ? keys[f[k].id - 142] : 0; char b[64];
    f[k].r = key && lookup(ix(d), key, b, sizeof b) ? OK : NOTSUP; f[k].type = 1; f[k].v.u = f[k].r ? 0 : (u32)strtoul(b, 0, 0); } END
D(nvmlDeviceGetMigMode, u32 *now, u32 *next) *now = *next = (u32)num(ix(d), "mig", 0); END
D(nvmlDeviceGetMaxMigDeviceCount, u32 *o) *o = 7; END
ret nvmlDeviceGetMigDeviceHandleByIndex(devt d, u32 i, devt *o) { ret r = enter(ix(d), "nvmlDeviceGetMigDeviceHandleByIndex"); if (r) return r;
  if (i >= 2) return NOTFOUND;
  *o = d; return OK; }
static char told[8][32];
ret nvmlEventSetCreate(void **o) { ret r = enter(-1, "nvmlEventSetCreate"); if (r) return r; *o = calloc(1, sizeof(int)); return OK; }
ret nvmlEventSetFree(void *s) { free(s); return OK; }
ret nvmlDeviceRegisterEvents(devt d, u64 kinds, void *s) { ret r = enter(ix(d), "nvmlDeviceRegisterEvents"); (void)kinds; if (r) return r; *(int *)s = ix(d); return OK; }
struct event { devt d; u64 type, data; u32 gi, ci; };
ret nvmlEventSetWait_v2(void *s, struct event *e, u32 ms) { int dev = *(int *)s; char seq[32] = ""; (void)ms;
  lookup(dev, "xid_seq", seq, sizeof seq);
  if (dev < 0 || dev > 7 || !strcmp(seq, told[dev])) return 10;
  strcpy(told[dev], seq);
  e->d = (devt)((char *)0 + dev + 1); e->type = 8; e->data = num(dev, "xid", 0); e->gi = e->ci = ~0u; return OK; }
D(nvmlDeviceGetCudaComputeCapability, int *ma, int *mi) *ma = 9; *mi = 0; END
struct pci { char legacy[16]; u32 domain, bus, device, id, sub; char busid[32]; };
D(nvmlDeviceGetPciInfo_v3, struct pci *p) memset(p, 0, sizeof *p); p->bus = (u32)ix(d) + 1; p->id = 0x233010DE;
  snprintf(p->legacy, 16, "0000:%02X:00.0", p->bus); snprintf(p->busid, 32, "00000000:%02X:00.0", p->bus); END
struct proc { u32 pid; u64 mem; u32 gi, ci; };
static ret procs(devt d, const char *fn, const char *key, u32 *n, struct proc *p) { char b[2048], *s, *t; u32 have = 0, room = *n; ret r = enter(ix(d), fn);
  if (r) return r;
  if (!lookup(ix(d), key, b, sizeof b)) b[0] = 0;
  for (s = strtok_r(b, ",", &t); s; s = strtok_r(0, ",", &t), have++)
    if (have < room && p) { char *c = strchr(s, ':'); p[have].pid = (u32)atoi(s); p[have].mem = c ? strtoull(c + 1, 0, 0) : ~0ull; p[have].gi = p[have].ci = ~0u; }
  *n = have; return have > room ? SMALL : OK; }
ret nvmlDeviceGetComputeRunningProcesses_v3(devt d, u32 *n, struct proc *p) { return procs(d, "nvmlDeviceGetComputeRunningProcesses_v3", "procs", n, p); }
ret nvmlDeviceGetComputeRunningProcesses_v2(devt d, u32 *n, struct proc *p) { return procs(d, "nvmlDeviceGetComputeRunningProcesses_v2", "procs", n, p); }
ret nvmlDeviceGetGraphicsRunningProcesses_v3(devt d, u32 *n, struct proc *p) { return procs(d, "nvmlDeviceGetGraphicsRunningProcesses_v3", "gprocs", n, p); }
ret nvmlDeviceGetGraphicsRunningProcesses_v2(devt d, u32 *n, struct proc *p) { return procs(d, "nvmlDeviceGetGraphicsRunningProcesses_v2", "gprocs", n, p); }
