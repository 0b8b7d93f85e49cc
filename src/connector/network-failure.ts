/** Errors of the socket and of the name service (errno names, as Node gives them). */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_NODATA',
  'ETIMEDOUT',
  'EPIPE',
  'ENOENT',
  'EACCES',
  'EPERM',
  'EADDRNOTAVAIL',
]);

/** Codes of OpenSSL's certificate check that do not start with ERR_ (Node manual, "X509 certificate error codes"). */
const CERTIFICATE = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_NOT_YET_VALID',
  'CERT_HAS_EXPIRED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'HOSTNAME_MISMATCH',
  'EPROTO',
]);

/** Whether an errno name says that the other side cannot be reached. */
export function isUnreachable(code: string): boolean {
  return UNREACHABLE.has(code);
}

/** Whether a code of Node or OpenSSL says that no trusted TLS connection could be made. */
export function isTlsCode(code: string): boolean {
  return (
    CERTIFICATE.has(code) ||
    code.startsWith('ERR_TLS_') ||
    code.startsWith('ERR_SSL_') ||
    code.startsWith('ERR_OSSL_')
  );
}

/** A fault of the program itself and not of the connection. */
export function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}

/** The `code` of an error of Node or of a driver: an errno name, an OpenSSL code or an SQLSTATE. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}
