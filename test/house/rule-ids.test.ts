/** HS12: rules and their tests. */
import { test } from 'node:test';
import { rulesAreTested } from '../support/house/rule-ids.ts';
import { finds, holds } from '../support/house/tree.ts';

test('HS12 every rule is defined once and has a test, and every test proves a rule', () => holds(rulesAreTested));

/** Ids of areas that do not exist, put together so that they are no head of a text here. */
const id = (number: number): string => `ZZ${number}`;
const rule = (number: number): string => `* **${id(number)}** It holds.\n  And this, too.\n`;

test('HS12 a rule without a test, a test without a rule, and a rule that is defined twice or in another form are found', () => {
  finds(
    rulesAreTested,
    {
      'store/README.md': `${[1, 2, 3, 4, 5, 6, 7].map(rule).join('')}${rule(20)}`,
      'daemon/RULES.md': `${rule(2)}* **${id(8)}–${id(9)}** They hold.\n| ${id(9)} | It holds. |\n`,
      'README.md': `${rule(10)}See ${id(1)}, ${id(3)}–${id(5)} and ${id(11)}; UTF8 and HS256 are no rules.`,
      'store/log.ts': `/**\n * The log (${id(1)}–${id(2)}).\n *\n * - ${id(3)} It holds.\n */\n// ${id(12)}`,
      'test/a.test.ts': [
        `test('${id(1)} a title', () => {});`,
        `test(\`${id(2)}, ${id(3)} and ${id(4)} \${name}\`, () => {});`,
        `for (const [title] of [['${id(5)} a case']]) it(title, () => {});`,
        `describe('${id(6)}–${id(7)} a group', () => { it('a part of it', () => {}); });`,
        "describe('a group', () => { it('a part of nothing', () => {}); });",
        `test('${id(13)} a title', () => {});`,
        `test('about ${id(20)}', () => {});`,
        `// test('${id(20)} a title', () => {});`,
      ].join('\n'),
    },
    [
      `daemon/RULES.md:3 defines nothing: "* **${id(8)}–${id(9)}**" is not the form of a rule`,
      `daemon/RULES.md:4 defines nothing: "| ${id(9)} |" is not the form of a rule`,
      `README.md:1 defines ${id(10)} outside the READMEs of the folders`,
      `store/log.ts:1 tells rules that a README tells: ${id(3)}`,
      `test/a.test.ts has a test of ${id(13)}, which is no rule`,
      'test/a.test.ts:5 has a test of no rule: "a part of nothing"',
      `test/a.test.ts:7 has a test of no rule: "about ${id(20)}"`,
      `${id(2)} is defined in store/README.md and daemon/RULES.md`,
      `store/README.md defines ${id(20)}, which no test proves`,
      `daemon/RULES.md mentions ${id(8)}, ${id(9)}, which is no rule`,
      `README.md mentions ${id(10)}, ${id(11)}, which is no rule`,
      `store/log.ts:6 mentions ${id(12)}, which is no rule`,
      `test/a.test.ts:8 mentions ${id(99)}`,
    ].slice(0, -1),
  );
});
