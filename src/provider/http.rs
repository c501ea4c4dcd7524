//! Requests over HTTP: deadlines, retries of reads, rate limits.
