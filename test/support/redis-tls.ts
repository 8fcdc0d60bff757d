/** What a redis-server needs for TLS: a self-signed certificate, and a check whether it supports TLS. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { t } from 'tap'

/** Why TLS isn't available here, if it isn't. */
export function noTls(): string | undefined {
  if (spawnSync('openssl', ['version']).error) return 'There is no openssl here, to make a certificate with.'
  // It rejects the first setting that it doesn't know, which is the last one if it was built with TLS.
  const { stdout, stderr } = spawnSync('redis-server', ['--tls-port', '0', '--no-such-setting', '1'])
  return /tls-port/.test(`${stdout}${stderr}`) ? 'The redis-server here was built without TLS.' : undefined
}

export interface Certificate {
  /** The settings of a redis-server that shows it. */
  settings: string[]
  /** What a client needs to trust it. */
  ca: Buffer
}

/** A self-signed certificate for this machine, deleted when the test file ends. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const { status, stderr } = spawnSync('openssl', ['req', ...kind, ...name, '-keyout', key, '-out', certificate])
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`)
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate]
  return { settings: [...files, '--tls-auth-clients', 'no'], ca: readFileSync(certificate) }
}
