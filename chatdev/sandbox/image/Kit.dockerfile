# The sandbox image with the packages of one kit: a language's toolchain, or the browser for web products.
ARG BASE
FROM ${BASE}
USER root
ARG PACKAGES
# Some packages expect the folder of manual pages that the sandbox image leaves out.
RUN set -e; mkdir -p /usr/share/man/man1; apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${PACKAGES}; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/*
USER 65534:65534
