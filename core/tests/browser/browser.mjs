// Debian's Chromium, for all tests.

import { chromium } from "playwright-core";

export const within = { timeout: 90_000 };

/** A browser that has these arguments too. */
export const launch = (...more) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Chromium's own sandbox needs a user other than root; the rest keeps it from calling home.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...more,
    ],
  });
