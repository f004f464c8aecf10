# SPDX-License-Identifier: Apache-2.0
file("Dockerfile", "FROM base\r\nENV A=1 \\\r\n  B=2\r\nRUN echo x >/made\r\nCMD [\"a\"]\r\n")
