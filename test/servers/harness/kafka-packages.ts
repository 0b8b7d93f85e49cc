import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../src/errors.ts';
import { cached } from './mysql-packages.ts';
import { runJava } from './kafka-java.ts';

/** Java programs that Maven's registry has, with all that they need, by coordinates. */
export interface JavaPackage {
  /** Of the folder in the cache. */
  readonly name: string;
  /** `group:artifact:version`, the first one giving the version. */
  readonly coordinates: readonly string[];
}

/** Raise it when what is in a folder changes. */
const LAYOUT = 2;

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/** A broker in KRaft mode (Java 17) and its command-line programs; the log goes to its standard output. */
export const KAFKA: JavaPackage = {
  name: 'kafka-4.1.1',
  // Without the second one its log goes nowhere.
  coordinates: ['org.apache.kafka:kafka_2.13:4.1.1', 'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3'],
};

/** MirrorMaker 2 in its dedicated mode: Kafka Connect's workers without their REST interface. */
export const MIRROR_MAKER: JavaPackage = {
  name: 'mirror-maker-4.1.1',
  coordinates: [
    'org.apache.kafka:connect-mirror:4.1.1',
    'org.apache.kafka:connect-runtime:4.1.1',
    'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3',
  ],
};

/** Debezium's engine, which runs a connector without Kafka Connect, with its connectors. */
export const DEBEZIUM: JavaPackage = {
  name: 'debezium-3.3.1',
  coordinates: [
    'io.debezium:debezium-embedded:3.3.1.Final',
    'io.debezium:debezium-connector-postgres:3.3.1.Final',
    'org.slf4j:slf4j-simple:1.7.36',
  ],
};

/** The engine with the connectors of MySQL and MariaDB: for long tests only. */
export const DEBEZIUM_MYSQL: JavaPackage = {
  name: 'debezium-mysql-3.5.0',
  coordinates: [
    'io.debezium:debezium-embedded:3.5.0.Final',
    'io.debezium:debezium-connector-mysql:3.5.0.Final',
    'io.debezium:debezium-connector-mariadb:3.5.0.Final',
    'org.slf4j:slf4j-simple:1.7.36',
  ],
};

/**
 * The class path of a package: every jar of its folder in the cache of mysql-packages.ts, which Maven fills the first
 * time (half a minute), from the registry that this machine's Maven is set up with; it checks the sums.
 *
 * @throws Error on a machine without Java, Maven or a registry.
 */
export async function classPath(source: JavaPackage): Promise<string> {
  const folder = await cached(`${source.name}-${LAYOUT}`, async (draft) => {
    const pom = join(draft, 'pom.xml');
    const jars = join(draft, 'jars');
    await writeFile(pom, pomOf(source));
    const wanted = [`-DoutputDirectory=${jars}`, '-DincludeScope=runtime', '-Dmdep.copyPom=false'];
    await runJava('mvn', ['-B', '-q', '-f', pom, COPY, ...wanted]);
    const count = (await readdir(jars)).filter((file) => file.endsWith('.jar')).length;
    if (count < source.coordinates.length) throw new Error(`Maven brought ${count} jars of ${source.name}`);
  });
  return join(folder, 'jars', '*');
}

/**
 * Why a package cannot be had here, or null; the first question may take a download. In CI what is missing fails and is
 * not skipped, unless `.ci/run` has found that no registry can be reached (TWINPROOF_NO_MAVEN says why).
 */
export async function missingPackage(source: JavaPackage): Promise<string | null> {
  const unreachable = process.env['TWINPROOF_NO_MAVEN'];
  if (unreachable !== undefined) return unreachable;
  if (process.env['CI'] !== undefined) return null;
  return classPath(source).then(
    () => null,
    (error: unknown) => `no ${source.name} can be had: ${messageOf(error)}`,
  );
}

function pomOf({ name, coordinates }: JavaPackage): string {
  const dependencies = coordinates.map((text) => {
    const [group = '', artifact = '', version = ''] = text.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>twinproof.test</groupId>
  <artifactId>${name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</project>
`;
}
